"""A segment's folders, and what a workload is told."""

import json
import os
from pathlib import Path

import pytest

from idleq.ids import Fence, JobId, Millis
from idleq.scheduler.agent.folders import Folders, Scratch, argv_of, environment_of, segment_text
from idleq.scheduler.core.commands import SegmentPlan
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import JobSpec

SPEC = JobSpec(
    name="x",
    argv=("{python}", "-c", "print('{python}')"),
    resources=Resources(2, 1000, 1),
    environment=(("OMP_NUM_THREADS", "1"), ("IDLEQ_CONTROL", "/etc")),
    signal="SIGUSR2",
)


def test_the_environment_is_clean_and_the_contract_cannot_be_overridden() -> None:
    own = {"PATH": "/bin", "HOME": "/h", "LANG": "C", "IDLEQ_SERVER_DIR": "/s", "TOKEN": "t"}
    assert environment_of(JobId("17_3"), SPEC, Folders(Path("/scratch/1")), ("5",), own) == {
        "PATH": "/bin",
        "HOME": "/h",
        "LANG": "C",
        "TMPDIR": "/scratch/1/tmp",
        "OMP_NUM_THREADS": "1",
        "IDLEQ_JOB_ID": "17_3",
        "IDLEQ_ARRAY_INDEX": "3",
        "IDLEQ_CHECKPOINT_DIR": "/scratch/1/checkpoint",
        "IDLEQ_OUTPUT_DIR": "/scratch/1/output",
        "IDLEQ_CONTROL": "/scratch/1/control",
        "CUDA_VISIBLE_DEVICES": "5",
    }
    assert "IDLEQ_ARRAY_INDEX" not in environment_of(JobId("17"), SPEC, Folders(Path("/s")), (), own)


def test_the_segment_file_says_what_changes_per_segment() -> None:
    plan = SegmentPlan(freeze_at=Millis(5), ends_at=None, save_every_ms=Millis(60_000))
    assert json.loads(segment_text(Fence(3), plan, SPEC)) == {
        "format": 1,
        "segment": 3,
        "freeze_at": 5,
        "ends_at": None,
        "save_every_ms": 60_000,
        "signal": "SIGUSR2",
        "cores": 2,
        "memory": 1000,
        "gpus": 1,
    }


def test_python_stands_for_the_nodes_interpreter() -> None:
    assert argv_of(SPEC, "/opt/python") == ("/opt/python", "-c", "print('/opt/python')")


def test_folders_that_come_back_as_they_were_made_are_handed_out_again(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "scratch")
    scratch.clear()
    first = scratch.take()
    first.tell("{}")
    assert scratch.give_back(first)
    assert scratch.take() == first


def test_folders_in_which_anything_was_left_are_not_handed_out_again(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "scratch")
    scratch.clear()
    for leave in ("output/x", "checkpoint/.hidden", "control/saved.jsonl", "tmp/t", "beside"):
        folders = scratch.take()
        folders.tell("{}")
        (folders.root / leave).touch()
        assert not scratch.give_back(folders), leave
        assert not (scratch.take().root / leave).exists()
    opened = scratch.take()
    opened.tell("{}")
    opened.output.chmod(0o777)
    assert not scratch.give_back(opened)


def test_an_agents_number_stands_in_its_scratch_from_the_beginning_to_the_end(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "scratch")
    (tmp_path / "scratch" / "leftover").mkdir(parents=True)

    scratch.move_in(17)
    assert [(path.name, path.read_text()) for path in scratch.root.iterdir()] == [("agent.pid", "17\n")]

    scratch.clear()
    assert list(scratch.root.iterdir()) == []


def test_folders_are_gone_where_somebody_removed_them_and_not_where_a_guest_removed_its_own_files(
    tmp_path: Path,
) -> None:
    scratch = Scratch(tmp_path / "scratch")
    scratch.clear()
    folders = scratch.take()

    for removed in (folders.checkpoint, folders.control):
        removed.rmdir()
        assert not folders.are_gone
    folders.output.rmdir()
    assert folders.are_gone
    folders.remove()
    assert folders.are_gone


def test_what_a_guest_puts_where_it_is_told_things_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "1")
    folders.create()
    (tmp_path / "others").write_text("untouched")
    os.mkfifo(folders.control / "segment.new")
    folders.segment_file.symlink_to(tmp_path / "others")

    folders.tell("{}")

    assert (folders.segment_file.read_text(), folders.segment_file.is_symlink()) == ("{}", False)
    assert (tmp_path / "others").read_text() == "untouched"
    assert sorted(path.name for path in folders.control.iterdir()) == ["segment.json", "segment.new"]


def test_where_nothing_can_be_told_nothing_is_left(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "1")
    folders.create()
    (folders.segment_file / "in the way").mkdir(parents=True)

    with pytest.raises(OSError):
        folders.tell("{}")

    assert [path.name for path in folders.control.iterdir()] == ["segment.json"]
