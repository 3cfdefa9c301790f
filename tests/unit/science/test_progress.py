"""What a person is told while `make science` runs."""

import pytest

from bench.science.plan import BUDGETS, steps
from bench.science.progress import Progress, at_present
from bench.science.running import Looked
from idleq.ids import AllocationId, EntryId, Fence, Millis, NodeName
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.rows import JobRow


def a_row(name: str, state: str, *, step: int = 0, node: str | None = None, snapshots: int = 0) -> JobRow:
    return JobRow(
        id="1", entry=EntryId(1), tasks=1, name=name, user="me", priority=0, resources=Resources(cores=1, memory=1), labels=(),
        state=state, reason="", node=None if node is None else NodeName(node), allocation=AllocationId("1"), fence=Fence(1),
        step=step, total=100, run_ms=Millis(0), running_since=None, freeze_at=None, queued_since=Millis(0), snapshots=snapshots, failures=0,
    )  # fmt: skip


def test_the_line_says_what_runs_what_is_frozen_and_how_many_wait() -> None:
    rows = [
        a_row("train-cvae", "queued", step=62, snapshots=1),
        a_row("train-cgan", "running", step=31, node="n1"),
        a_row("train-slides", "queued"),
        a_row("train-todgan", "done", step=100),
    ]

    assert at_present(rows) == "train-cgan 31 % on n1, train-cvae 62 % (frozen), 1 more wait"
    assert at_present([]) == "nothing runs"


def test_what_is_done_is_told_once_and_what_runs_not_at_every_look(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = steps(BUDGETS["tiny"], up_to="second")
    tell = Progress({"train-cgan"})
    for step, done in ((1, ["train-cgan"]), (2, ["train-cgan"]), (3, ["train-cgan", "train-cvae"])):
        row = a_row("train-todgan", "running", step=step, node="n1")
        tell(Looked(wanted=wanted, done=done, rows={"3": row}))

    assert capsys.readouterr().out.splitlines() == [
        "   0 min  train-todgan 1 % on n1",
        "   0 min  train-cvae is done, 2 of 22",
    ]
