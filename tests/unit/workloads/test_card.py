"""A model's card says the same, however often its training was moved."""

from pathlib import Path
from typing import Any

import pytest

from idleq.workloads.training.card import CARD_JSON, CARD_PAGE, ModelCard, write_card

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
