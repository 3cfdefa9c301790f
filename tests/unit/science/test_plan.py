"""What `make science` runs: the main models first, and every job behind those whose results it needs."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.science.models import MODELS, in_order
from bench.science.plan import BUDGETS, CLASSIFIER, Step, steps

RESULTS: Mapping[str, Path] = {step.name: Path("/r") / step.name for step in steps(BUDGETS["hour"], MODELS)}


def named(name: str, budget: str = "hour") -> Step:
    (found,) = [step for step in steps(BUDGETS[budget], MODELS) if step.name == name]
    return found


@pytest.mark.parametrize("budget", BUDGETS)
def test_every_job_comes_behind_those_whose_results_it_needs(budget: str) -> None:
    planned = steps(BUDGETS[budget], MODELS)
    before: set[str] = set()
    for step in planned:
        assert before.issuperset(step.after)
        needed = {name: RESULTS[name] for name in step.after}
        assert step.options(needed)
        before.add(step.name)
    assert len(before) == len(planned)


def test_the_main_models_and_their_judge_are_a_run_of_their_own() -> None:
    names = [step.name for step in steps(BUDGETS["hour"], MODELS, up_to="main")]

    assert [name.removeprefix("train-") for name in names[:4]] == ["cgan", "cvae", "todgan", "classifier"]
    assert {name.partition("-")[2] for name in names} == {"cgan", "cvae", "todgan", "classifier"}
    assert steps(BUDGETS["hour"], MODELS)[: len(names)] != [], "and they are the first of all"
    assert [step.name for step in steps(BUDGETS["hour"], MODELS)][: len(names)] == names


def test_what_the_main_models_wait_for_goes_before_all_else() -> None:
    planned = steps(BUDGETS["hour"], MODELS)
    first = {step.name for step in planned if step.priority > 0}

    assert first == {step.name for step in planned if step.part == "main"} | {CLASSIFIER}


def test_a_baseline_is_given_the_same_and_its_own_options() -> None:
    trained = named("train-cgan-convolutional")

    assert trained.workload == "train-cgan"
    assert trained.options(RESULTS) == ["--variant", "convolutional", "--steps", "8000", "--events", "60000"]
    assert named("generate-cgan-convolutional").options(RESULTS) == [
        "--weights",
        "/r/train-cgan-convolutional/generator.safetensors",
        "--count",
        "20000",
        "--seed",
        "2",
    ]
    judged = named("evaluate-cgan-convolutional").options(RESULTS)
    assert judged[:2] == ["--images", "/r/generate-cgan-convolutional"]
    assert judged[-2:] == ["--trained-on", "60000"], "copies are looked for in what it has learned from"


def test_what_is_no_model_is_judged_once() -> None:
    assert "--only-generated" not in named("evaluate-todgan").options(RESULTS)
    assert "--only-generated" in named("evaluate-slides").options(RESULTS)
    assert "slides' GAN=/r/generate-slides" in named("evaluate-slides").options(RESULTS)


def test_a_tiny_run_keeps_its_weights_by_few_tods() -> None:
    assert "--quick" in named("train-todvae", "tiny").options(RESULTS)
    assert "--quick" not in named("train-todvae", "short").options(RESULTS)


def test_each_model_stands_behind_the_one_that_it_is_compared_with() -> None:
    assert [model.key for model in in_order(MODELS, "images")] == [
        "cgan",
        "cgan-convolutional",
        "cvae",
        "cvae-plain",
    ]
    assert [model.key for model in in_order(MODELS, "tods")] == ["todgan", "slides", "todvae"]


def test_every_model_stands_beside_a_main_one_of_its_kind() -> None:
    main = {model.key: model for model in MODELS if model.is_main}
    for model in MODELS:
        assert model.is_main or (main[model.beside].kind == model.kind and model.role)


def test_other_seeds_are_run_last_and_only_where_they_are_asked_for() -> None:
    second = [step.name for step in steps(BUDGETS["hour"], MODELS, up_to="second")]
    names = [step.name for step in steps(BUDGETS["hour"], MODELS, up_to="seeds")]

    assert names[: len(second)] == second
    assert not [name for name in second if "seed" in name]
    assert {name for name in names[len(second) :] if name.startswith("train-")} == {
        f"train-{key}-seed-{seed}" for key in ("cgan", "cvae", "todgan") for seed in (2, 3)
    }
    assert named("train-todgan-seed-3").options(RESULTS)[:4] == ["--variant", "conditional", "--seed", "3"]
