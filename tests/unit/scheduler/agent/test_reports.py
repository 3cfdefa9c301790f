"""Reports last."""

import errno
import json
import os
from pathlib import Path

import pytest

from idleq.ids import CommandId, Fence, JobId, Millis
from idleq.scheduler.agent.reports import open_reports
from idleq.scheduler.core.inputs import CommandFailed, Exited

FAILED = CommandFailed(command=CommandId(3), reason="no room", transient=True)


def exited(job: str) -> Exited:
    return Exited(job=JobId(job), fence=Fence(1), code=0, at=Millis(5), cause="workload")


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["number"] for line in path.read_bytes().splitlines()]


def test_nothing_is_offered_before_it_is_on_the_disk(tmp_path: Path) -> None:
    reports = open_reports(tmp_path / "reports.jsonl")
    reports.add(FAILED)
    assert reports.untaken() == ()
    reports.flush()
    (report,) = reports.untaken()
    assert (tmp_path / "reports.jsonl").read_bytes() == report.line + b"\n"
    assert json.loads(report.line) == {
        "number": 1,
        "kind": "CommandFailed",
        "body": {"command": 3, "reason": "no room", "transient": True, "image_missing": False},
    }


def test_what_is_taken_is_not_offered_again(tmp_path: Path) -> None:
    reports = open_reports(tmp_path / "reports.jsonl")
    for job in ("1", "2", "3"):
        reports.add(exited(job))
    reports.flush()
    reports.take(2)
    assert [report.number for report in reports.untaken()] == [3]


def test_a_later_agent_goes_on_counting_and_offers_what_was_said_with_half_a_line_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    first = open_reports(path)
    first.add(exited("1"))
    first.add(FAILED)
    first.flush()
    with path.open("ab") as file:
        file.write(b'{"number":3,"kind":"Exi')
    later = open_reports(path)
    assert later.untaken() == first.untaken()
    assert later.ends == {(JobId("1"), Fence(1)): exited("1")}
    later.add(exited("2"))
    later.flush()
    assert numbers(path) == [1, 2, 3]


def test_a_full_disk_leaves_no_half_line_and_the_next_try_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reports.jsonl"
    reports = open_reports(path)
    reports.add(exited("1"))
    reports.flush()
    reports.add(exited("2"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _refuse)
        with pytest.raises(OSError, match="No space"):
            reports.flush()
    assert numbers(path) == [1]
    assert [report.number for report in reports.untaken()] == [1]
    reports.add(exited("3"))
    reports.flush()
    assert numbers(path) == [1, 2, 3]


def _refuse(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
