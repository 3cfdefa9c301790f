"""A model's card says the same, however often its training was moved."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from idleq.workloads.cgan.config import TrainConfig as GanConfig
from idleq.workloads.classifier.config import TrainConfig as ClassifierConfig
from idleq.workloads.cvae.config import TrainConfig as VaeConfig
from idleq.workloads.todgan.config import TodTrainConfig, Variant
from idleq.workloads.training.card import CARD_JSON, CARD_PAGE, ModelCard, write_card
from idleq.workloads.training.wording import rows

pytest.importorskip("torch")


def written(folder: Path, figures: dict[str, Any]) -> tuple[bytes, bytes]:
    """The card with these figures, as JSON and as a page."""
    folder.mkdir()
    card = ModelCard(
        name="n", what="w", source="s", weights="f", parameters={}, settings={}, data={}, figures=figures, limits=()
    )
    write_card(folder, card)
    return (folder / CARD_JSON).read_bytes(), (folder / CARD_PAGE).read_bytes()


def test_a_report_that_was_in_a_checkpoint_gives_the_same_card(tmp_path: Path) -> None:
    told = {"last_report": {"step": 700, "generator_loss": 0.5}}
    thawed = {"last_report": {"generator_loss": 0.5, "step": 700}}
    assert written(tmp_path / "stayed", told) == written(tmp_path / "moved", thawed)


def test_the_page_has_names_with_units_where_the_json_has_keys(tmp_path: Path) -> None:
    told = {
        "last_report": {"step": 700, "generator_loss": 0.5},
        "quality": {"hillas_cut": {"width": 37.8, "q": 1.5}, "cnn": {"q": 2.3}},
        "new_figure": 1,
    }
    as_json, page = written(tmp_path / "card", told)

    assert json.loads(as_json)["figures"] == told
    assert page.decode().partition("## Figures\n\n| | |\n|---|---|\n")[2].partition("\n\n")[0].splitlines() == [
        "| last report: step | 700 |",
        "| last report: generator's loss | 0.5 |",
        "| this network: quality factor Q | 2.3 |",
        "| Hillas cut: quality factor Q | 1.5 |",
        "| Hillas cut: width at most, in mm | 37.8 |",
        "| new figure | 1 |",
    ]


SETTINGS = {
    "cgan": GanConfig(steps=1, events=1000, batch=10).identity(),
    "cvae": VaeConfig(steps=1, events=1000).identity(),
    "classifier": ClassifierConfig(steps=1, events=1000, validated=10, judged=10).identity(),
    "todgan": TodTrainConfig(variant=Variant.SLIDES, steps=1, count=1000).identity(),
}


@pytest.mark.parametrize("training", SETTINGS)
def test_every_setting_of_a_training_has_a_name_of_its_own(training: str) -> None:
    names = [name for name, _ in rows("settings", SETTINGS[training])]

    assert len(set(names)) == len(names)
    assert set(names) & (keys_of(SETTINGS[training]) - {"seed", "threads", "variant"}) == set()


def keys_of(values: Mapping[str, Any]) -> set[str]:
    inner = [keys_of(value) for value in values.values() if isinstance(value, dict)]
    return {key.replace("_", " ") for key in values}.union(*inner)
