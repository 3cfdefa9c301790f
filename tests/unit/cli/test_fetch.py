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


@pytest.mark.parametrize(
    ("tasks", "copied"), [("0-2", {"0", "2"}), ("2-2", {"2"}), ("1-13:3", {"4", "10"}), ("0-99", {"0", "2", "4", "10"})]
)
def test_of_an_array_some_tasks_are_copied(idleq: CommandLine, place: Path, tasks: str, copied: set[str]) -> None:
    for task in ("0", "2", "4", "10"):
        leave_result(idleq, f"19/{task}", task)

    assert idleq("fetch", "19", str(place / "some"), "--tasks", tasks).code == 0

    assert {path.name for path in (place / "some").iterdir()} == copied


@pytest.mark.parametrize(
    ("job", "tasks", "code", "because"),
    [
        ("19", "3-4", 62, "19 has no result of tasks 3-4; type: idleq ps 19"),
        ("17", "0-1", 62, "17 has no result of tasks 0-1"),
        ("19", "9-1", 2, "--tasks"),
        ("19", "all", 2, "--tasks"),
    ],
)
def test_tasks_that_have_no_result_or_are_no_range_are_told_and_nothing_is_copied(
    idleq: CommandLine, place: Path, job: str, tasks: str, code: int, because: str
) -> None:
    leave_result(idleq, "19/0", "zero")
    leave_result(idleq, "17", "done")

    outcome = idleq("fetch", job, str(place / "some"), "--tasks", tasks)

    assert (outcome.code, outcome.out, files_of(place)) == (code, "", {})
    assert because in outcome.err


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
