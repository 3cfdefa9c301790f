"""`idleq fetch`: a copy of results, whole or not at all."""

from pathlib import Path

import pytest

from support.command_line import CommandLine, Outcome
from support.moving import files_of


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where copies go."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def leave_result(idleq: CommandLine, job: str, text: str) -> None:
    """As the daemon does: a link to the accepted segment's output."""
    root = idleq.server_dir / "jobs" / job
    output = root / "segments" / "0002" / "output"
    (output / "plots").mkdir(parents=True)
    (output / "plots" / "a.txt").write_text(text)
    (root / "result").symlink_to("segments/0002/output")


def test_a_jobs_result_is_copied_to_a_new_folder(idleq: CommandLine, place: Path) -> None:
    leave_result(idleq, "17", "done")

    assert idleq("fetch", "17", str(place / "fit")) == Outcome(0, f"{place}/fit\n", "")

    assert files_of(place) == {"fit/plots/a.txt": b"done"}
    assert not (place / "fit").is_symlink()


def test_of_an_array_each_task_that_has_a_result_is_copied(idleq: CommandLine, place: Path) -> None:
    leave_result(idleq, "19/0", "zero")
    leave_result(idleq, "19/12", "twelve")
    (idleq.server_dir / "jobs" / "19" / "3" / "segments").mkdir(parents=True)

    assert idleq("fetch", "19", str(place / "all")).code == 0

    assert files_of(place) == {"all/0/plots/a.txt": b"zero", "all/12/plots/a.txt": b"twelve"}


def test_one_without_a_result_is_told_and_leaves_nothing(idleq: CommandLine, place: Path) -> None:
    outcome = idleq("fetch", "17", str(place / "fit"))
    assert outcome == Outcome(62, "", "idleq: 17 has no result; type: idleq ps 17\n")
    assert files_of(place) == {}


@pytest.mark.parametrize("kind", ["file", "folder", "broken link"])
def test_nothing_is_written_over(idleq: CommandLine, place: Path, kind: str) -> None:
    leave_result(idleq, "17", "done")
    target = place / "fit"
    match kind:
        case "file":
            target.touch()
        case "folder":
            target.mkdir()
        case _:
            target.symlink_to("nowhere")

    outcome = idleq("fetch", "17", str(target))

    assert (outcome.code, outcome.out) == (2, "")
    assert f"{target} is there already; name a new folder" in outcome.err
    assert list(place.iterdir()) == [target]
