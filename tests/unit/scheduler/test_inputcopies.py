"""Copies of inputs are removed where they lie, and nothing else is, whatever has been put there."""

import os
import shutil
from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.scheduler import inputcopies
from idleq.scheduler.core.rows import InputCopies
from idleq.scheduler.inputcopies import KEPT_MS, Gone
from idleq.scheduler.paths import ServerPaths

NOW = Millis(1_000_000_000_000)
WANTED, SPENT, UNKNOWN, YOUNG = (f"{number:032x}" for number in range(4))
BEGUN = f".tmp-{UNKNOWN}-99"
KNOWN = InputCopies(frozenset({WANTED}), frozenset({SPENT}))


@pytest.fixture
def paths(tmp_path: Path) -> ServerPaths:
    """A server directory with a copy of each kind, all but two of them old."""
    paths = ServerPaths(tmp_path / "server")
    for name in (WANTED, SPENT, UNKNOWN, YOUNG, BEGUN):
        put(paths, name, made_at=NOW if name in {SPENT, YOUNG} else NOW - KEPT_MS - 1)
    return paths


def put(paths: ServerPaths, name: str, *, made_at: int) -> None:
    (paths.inputs / name / "files" / "input").mkdir(parents=True)
    (paths.inputs / name / "files" / "input" / "data.csv").write_text("1,2\n")
    os.utime(paths.inputs / name, (made_at / 1000, made_at / 1000))


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_spent_copies_go_at_once_and_those_that_no_job_is_known_to_have_after_a_day(paths: ServerPaths) -> None:
    assert inputcopies.names(paths) == (BEGUN, WANTED, SPENT, UNKNOWN, YOUNG)
    assert inputcopies.remove(paths, KNOWN, NOW) == Gone((BEGUN, SPENT, UNKNOWN))
    assert left(paths.inputs) == [WANTED, YOUNG]


def test_what_is_gone_already_is_gone_and_what_was_half_removed_goes_the_next_time(paths: ServerPaths) -> None:
    shutil.rmtree(paths.inputs / BEGUN)
    (paths.inputs / SPENT / "files" / "input" / "data.csv").unlink()
    assert inputcopies.remove(paths, KNOWN, NOW) == Gone((SPENT, UNKNOWN))
    assert inputcopies.remove(paths, KNOWN, NOW) == Gone()


@pytest.mark.parametrize("name", ["data", SPENT[:-1], f"{SPENT}0", SPENT.upper().replace("0", "F"), ".tmp-x-1"])
def test_a_folder_that_no_submit_can_have_made_stays(paths: ServerPaths, name: str) -> None:
    put(paths, name, made_at=0)
    assert name not in inputcopies.names(paths)
    inputcopies.remove(paths, InputCopies(frozenset(), frozenset({name})), NOW)
    assert (paths.inputs / name / "files" / "input" / "data.csv").read_text() == "1,2\n"


def test_no_link_and_no_file_is_followed_or_removed_in_the_place_of_a_copy(paths: ServerPaths, tmp_path: Path) -> None:
    put(elsewhere := ServerPaths(tmp_path / "elsewhere"), "kept", made_at=0)
    shutil.rmtree(paths.inputs / SPENT)
    (paths.inputs / SPENT).symlink_to(elsewhere.inputs / "kept")
    shutil.rmtree(paths.inputs / UNKNOWN)
    (paths.inputs / UNKNOWN).write_text("a file")
    os.utime(paths.inputs / UNKNOWN, (0, 0))
    (paths.inputs / BEGUN / "files" / "out").symlink_to(elsewhere.inputs)

    assert inputcopies.remove(paths, KNOWN, NOW) == Gone((BEGUN,))
    assert left(paths.inputs) == [WANTED, SPENT, UNKNOWN, YOUNG]
    assert left(elsewhere.inputs / "kept") == ["files"]


def test_nothing_is_removed_through_a_link_in_the_place_of_the_folder_and_where_there_is_none(
    paths: ServerPaths, tmp_path: Path
) -> None:
    linked = ServerPaths(tmp_path / "linked")
    linked.root.mkdir()
    assert (inputcopies.names(linked), inputcopies.remove(linked, KNOWN, NOW)) == ((), Gone())
    linked.inputs.symlink_to(paths.inputs)
    assert (inputcopies.names(linked), inputcopies.remove(linked, KNOWN, NOW)) == ((), Gone())
    assert len(left(paths.inputs)) == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_nothing_is_removed_in_somebody_elses_folder_nor_a_folder_of_theirs_in_ours(paths: ServerPaths) -> None:
    os.chown(paths.inputs / SPENT, 65534, -1)
    assert inputcopies.remove(paths, KNOWN, NOW) == Gone((BEGUN, UNKNOWN))
    os.chown(paths.inputs / SPENT, 0, -1)
    os.chown(paths.inputs, 65534, -1)
    assert (inputcopies.names(paths), inputcopies.remove(paths, KNOWN, NOW)) == ((), Gone())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove everything")
def test_why_a_copy_could_not_be_removed_is_told_and_the_others_go(paths: ServerPaths) -> None:
    (paths.inputs / SPENT / "files").chmod(0o500)
    assert inputcopies.remove(paths, KNOWN, NOW) == Gone(
        (BEGUN, UNKNOWN), (f"{paths.inputs / SPENT}: Permission denied",)
    )
    (paths.inputs / SPENT / "files").chmod(0o700)
