"""What the pages are made from is read from what the jobs have left, not from what was planned."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.science.models import MODELS, Size
from bench.science.plan import BUDGETS, steps
from bench.science.results import Found, collect
from bench.science.running import Place


def a_result(place: Place, step: str, **files: Any) -> Path:
    folder = place.result(step)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / f"{name.replace('_', '-')}.json").write_text(json.dumps(content))
    return folder


def collected(place: Place) -> Found:
    budget = BUDGETS["hour"]
    return collect(place, budget, MODELS, steps(budget, up_to="second"), {})


def test_a_training_is_as_long_as_its_card_says_and_else_as_planned(tmp_path: Path) -> None:
    place = Place(tmp_path)
    a_result(place, "train-cvae", model_card={"figures": {"steps": 3_000}, "data": {"events": 50_000}})
    a_result(place, "train-todgan", model_card={"figures": {"selected_step": 100}, "data": {"tods": 20_000}})
    a_result(place, "train-slides", model_card={"figures": {}, "data": {}})

    assert collected(place).trained == {
        "train-cvae": Size(3_000, 50_000),
        "train-todgan": Size(5_000, 20_000),
        "train-slides": Size(600, 2_000),
    }


def test_the_weights_are_those_that_were_generated_with_and_the_judge_is_the_classifiers_file(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (a_result(place, "train-classifier") / "classifier.safetensors").write_bytes(b"a judge")
    a_result(place, "train-cgan", model_card={"figures": {}, "data": {}})
    a_result(place, "generate-cgan", manifest={"weights": "ab" * 32})
    a_result(place, "evaluate-cgan", evaluation={"figures": []})

    found = collected(place)

    assert found.judged["cgan"].weights == "ab" * 32
    assert found.judge == sha256(b"a judge").hexdigest()
