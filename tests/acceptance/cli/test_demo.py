"""The demo as a person runs it, with so few steps at first that a quick machine has to go on to more."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the training's packages are not installed: pip install 'idleq[train]'")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_training_moves_from_node_to_node_and_its_result_is_that_of_an_uninterrupted_run(
    idleq: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("d") / "o"

    outcome = idleq("demo", "--json", "--steps", "700", "--dir", str(folder), timeout=1080)

    shown = outcome.json
    assert (outcome.code, shown["problem"]) == (0, ""), outcome.err
    assert shown["moves"] >= 2
    assert shown["result"]["identical"]
    assert shown["result"]["files"] >= 5
    ends = [(segment["ending"], segment["end"] >= segment["start"]) for segment in shown["segments"]]
    assert ends[-1] == ("done", True)
    assert ("frozen", True) in ends
    assert {Path(shown["report"]), *map(Path, shown["pictures"])} == set(folder.iterdir())
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in map(Path, shown["pictures"]))
    assert "<html" in Path(shown["report"]).read_text()
