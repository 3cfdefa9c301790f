"""What belongs together in a snapshot that is taken while the workload goes on."""

import os
from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.migration.errors import FolderRefused, SnapshotNotWritten
from idleq.migration.here import origin_here
from idleq.migration.snapshot import publish
from idleq.migration.tree import Item
from idleq.scheduler.agent.folders import Folders
from idleq.scheduler.agent.saves import Inconsistent, as_saved, check_unchanged, whole

LINES = ['{"step": 1}\n', '{"step": 2}\n', '{"step": 3}\n', '{"step": 4}\n']


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A workload that saved at step 2, told so, and is now at step 4; its older result is older than the save."""
    found = Folders(tmp_path / "1")
    found.create()
    result = found.output / "result"
    result.write_text("old")
    os.utime(result, ns=(1, 1))
    for name in ("generation-1", "generation-2", ".tmp-generation-3"):
        (found.checkpoint / name).mkdir()
        (found.checkpoint / name / "state").write_text(name)
    found.saved_file.write_text('{"step": 1}\n{"step": 2}\n')
    found.progress_file.write_text("".join(LINES))
    return found


def brief(items: list[Item]) -> list[tuple[str, int | None]]:
    return [(item.path, item.length) for item in items]


def test_the_newest_checkpoint_goes_with_the_progress_of_its_own_step(folders: Folders) -> None:
    items = as_saved(folders)
    assert brief(items) == [
        ("checkpoint", None),
        ("checkpoint/generation-2", None),
        ("checkpoint/generation-2/state", None),
        ("output", None),
        ("output/progress.jsonl", len(LINES[0] + LINES[1])),
        ("output/result", None),
    ]
    check_unchanged(items, folders)


def test_an_output_that_was_written_to_after_the_checkpoint_makes_it_useless(folders: Folders) -> None:
    (folders.output / "log").write_text("later")
    os.utime(folders.output / "log", ns=(1 << 62, 1 << 62))
    with pytest.raises(Inconsistent, match="output/log was written to after the checkpoint"):
        as_saved(folders)


def test_an_output_that_is_written_to_while_it_is_copied_makes_it_useless(folders: Folders) -> None:
    items = as_saved(folders)
    os.utime(folders.output / "result", ns=(1 << 62, 1 << 62))
    with pytest.raises(Inconsistent, match="output/result"):
        check_unchanged(items, folders)


def test_a_checkpoint_that_is_not_told_yet_is_not_taken_for_the_one_that_is(folders: Folders) -> None:
    os.utime(folders.saved_file, ns=(1, 1))
    with pytest.raises(Inconsistent, match="there is no such checkpoint"):
        as_saved(folders)


def test_a_save_that_names_no_step_is_useless(folders: Folders) -> None:
    told = folders.saved_file.stat()
    folders.saved_file.write_text('{"bytes": 3}\n')
    os.utime(folders.saved_file, ns=(told.st_mtime_ns, told.st_mtime_ns))
    with pytest.raises(Inconsistent, match="names no step"):
        as_saved(folders)


@pytest.mark.parametrize("line", ["[" * 200_000, '{"step": 1e999}'], ids=["deep", "infinite"])
def test_a_save_that_nobody_can_read_is_useless_and_no_more(folders: Folders, line: str) -> None:
    folders.saved_file.write_text(f'{{"step": 2}}\n{line}\n')
    with pytest.raises(Inconsistent, match="names no step"):
        as_saved(folders)


def test_progress_that_nobody_can_read_is_left_out_of_a_save(folders: Folders) -> None:
    folders.progress_file.write_text(LINES[0] + "[" * 200_000 + "\n")
    os.utime(folders.progress_file, ns=(1, 1))
    assert ("output/progress.jsonl", len(LINES[0])) in brief(as_saved(folders))


def test_a_link_in_the_output_is_refused(folders: Folders) -> None:
    (folders.output / "link").symlink_to("result")
    for listing in (as_saved, whole):
        with pytest.raises(FolderRefused, match="symbolic link"):
            listing(folders)


def test_of_a_workload_that_has_ended_everything_is_taken(folders: Folders) -> None:
    assert {item.path for item in whole(folders)} >= {
        "checkpoint/generation-1/state",
        "checkpoint/.tmp-generation-3/state",
        "output/progress.jsonl",
        "output/result",
    }


def test_what_a_guest_exchanges_for_a_pipe_is_not_waited_for(folders: Folders) -> None:
    told = folders.saved_file.stat()
    folders.saved_file.unlink()
    os.mkfifo(folders.saved_file)
    os.utime(folders.saved_file, ns=(told.st_atime_ns, told.st_mtime_ns))

    with pytest.raises(OSError, match="no plain file"):
        as_saved(folders)


def test_of_a_checkpoint_that_a_guest_exchanges_for_a_link_nothing_is_stored(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "state").write_text("secret")
    items = as_saved(folders)
    (folders.checkpoint / "generation-2").rename(folders.checkpoint / "moved")
    (folders.checkpoint / "generation-2").symlink_to(tmp_path / "secrets")

    with pytest.raises(SnapshotNotWritten, match="Not a directory"):
        publish(items, tmp_path / "snapshot", kind="app", origin=origin_here(Millis(0)))

    assert not (tmp_path / "snapshot").exists()
