"""What people want of jobs that run: frozen now, and what of it holds when it is said twice, late, or of an array."""

from collections.abc import Callable

import pytest

from idleq.ids import Fence, JobId, Millis
from idleq.scheduler.core.commands import Freeze, Launch
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.inputs import Exited, Frozen, JobCancelled, JobHeld, JobReleased, Paused
from idleq.scheduler.core.job import Held
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod
from idleq.scheduler.core.wishes import FreezeWished
from support.engines import Told, report, snapshot


def running(**wishes: object) -> Told:
    """Job 1 runs on n1 in allocation a1; n2 is free."""
    told = Told()
    told.see(report("n1"), report("n2"))
    told.submit_job(**wishes)  # type: ignore[arg-type]  # passed through
    told.grant("a1", "n1")
    told.launched("1")
    told.commands.clear()
    return told


def frozen(told: Told, job: str = "1", fence: int = 1) -> None:
    """The job's segment ends with a snapshot."""
    left = snapshot(job, fence, 1, 5000)
    told.tell(
        Frozen(job=JobId(job), fence=Fence(fence), snapshot=left, at=told.now, freeze_ms=Millis(700), reason="asked")
    )


def refusal(told: Told, target: str = "1") -> tuple[str, str]:
    """Wish for a freeze of *target*; return how that is refused, having changed nothing."""
    decision = told.tell(FreezeWished(target=JobId(target), reason="look"))
    assert decision.refusal is not None
    assert (decision.facts, decision.commands) == ((), ())
    return decision.refusal.kind, decision.refusal.message


def test_a_frozen_job_waits_for_its_release_and_then_goes_on_from_its_snapshot() -> None:
    told = running()
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    assert [(type(command), command.job, command.fence) for command in told.commands] == [(Freeze, "1", 1)]  # type: ignore[union-attr]  # a freeze names them
    frozen(told)
    assert told.engine.state.jobs[JobId("1")].state == Held("look")
    told.commands.clear()
    told.tell(JobReleased(target=JobId("1")))
    assert [command.thaw_from for command in told.commands if isinstance(command, Launch)] == [
        snapshot("1", 1, 1, 5000)
    ]


def test_a_freeze_that_is_wished_for_twice_is_one_freeze_before_and_after_its_end() -> None:
    told = running()
    wish = FreezeWished(target=JobId("1"), reason="look")
    told.tell(wish)
    assert told.tell(wish).facts == ()
    frozen(told)
    again = told.tell(wish)
    assert (again.refusal, again.facts) == (None, ())


def test_a_freeze_for_a_pause_becomes_one_until_a_release() -> None:
    told = running()
    told.tell(Paused(empty=True, reason="x"))
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    frozen(told)
    assert told.state_of("1") == "Held"


def test_a_restart_in_the_middle_of_a_freeze_still_holds_the_job() -> None:
    told = running()
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    told.engine = Engine.restore(told.facts)
    frozen(told)
    assert told.engine.state.jobs[JobId("1")].state == Held("look")


def wait(told: Told) -> None:
    """Let job 1 wait with its snapshot, as no node is up."""
    told.see(report("n1", is_up=False), report("n2", is_up=False))
    told.tell(Paused(empty=True, reason="x"))
    frozen(told)


def end(told: Told) -> None:
    """Let job 1 be done."""
    told.tell(Exited(job=JobId("1"), fence=Fence(1), code=0, at=told.now, cause="workload"))


@pytest.mark.parametrize(
    ("happen", "because"),
    [
        (wait, "job 1 does not run, so there is nothing to freeze; `idleq hold 1` keeps it from being started"),
        (end, "job 1 is over already"),
        (
            lambda told: told.tell(JobCancelled(target=JobId("1"))),
            "job 1 does not run, so there is nothing to freeze; `idleq hold 1` keeps it from being started",
        ),
    ],
)
def test_what_does_not_run_is_not_frozen(happen: Callable[[Told], object], because: str) -> None:
    told = running()
    happen(told)
    assert refusal(told) == ("conflict", because)


def test_a_job_that_would_lose_its_work_by_a_freeze_is_not_frozen() -> None:
    told = running(freeze=FreezeMethod.NONE)
    kind, message = refusal(told)
    assert (kind, message.split(";")[0]) == ("conflict", "job 1 cannot be frozen: it would lose what it has done")
    assert told.state_of("1") == "Running"


def test_of_an_array_what_runs_is_frozen_and_the_others_go_on() -> None:
    told = running(array=ArrayRange(0, 5), cores=2)
    told.tell(JobHeld(target=JobId("1_5"), reason="later"))
    told.tell(FreezeWished(target=JobId("1"), reason="look"))
    states = [told.state_of(f"1_{task}") for task in range(6)]
    assert states == ["Freezing", "Freezing", "Queued", "Queued", "Queued", "Held"]
    frozen(told, "1_0")
    assert (told.state_of("1_0"), told.state_of("1_2")) == ("Held", "Starting")
