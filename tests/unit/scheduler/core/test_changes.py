"""Jobs that are changed after they were submitted: what of it holds at once, and what of those that run only later."""

import pytest

from idleq.ids import AllocationId, Fence, JobId, Millis
from idleq.scheduler.core.commands import Kill, Launch
from idleq.scheduler.core.engine import Decision, Engine
from idleq.scheduler.core.inputs import AgentReady, Exited, Frozen, JobCancelled, JobHeld
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.queries import job_detail
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange
from idleq.scheduler.core.wishes import Changes, ChangeWished
from support.engines import GB, NODE, Told, report, snapshot, spec


def told_of(*reports: str) -> Told:
    """An engine that sees these nodes."""
    told = Told(Policy(retry_ms=Millis(1000)))
    told.see(*(report(name) for name in reports))
    return told


def change(told: Told, target: str = "1", **changes: int) -> Decision:
    """Wish for *changes*."""
    return told.tell(ChangeWished(target=JobId(target), changes=Changes(**changes)))  # type: ignore[arg-type]  # whole numbers all


def against(told: Told, target: str = "1", **changes: int) -> tuple[str, str]:
    """Wish for *changes*; return how that is refused, having changed nothing."""
    decision = change(told, target, **changes)
    assert decision.refusal is not None
    assert decision.facts == ()
    return decision.refusal.kind, decision.refusal.message


def launches(told: Told) -> list[tuple[str, Resources]]:
    return [(one.job, one.spec.resources) for one in told.commands if isinstance(one, Launch)]


def test_everything_that_can_be_another_is_and_the_rest_stays() -> None:
    told = told_of("n1")
    told.submit_job(cores=1, priority=1, expected_ms=5, max_run_ms=9)
    change(told, priority=3, expected_ms=7, retries=2, cores=2, memory=2 * GB)
    detail = job_detail(told.engine.state, JobId("1"))
    assert detail is not None
    assert detail.spec == spec(cores=2, memory=2 * GB, priority=3, expected_ms=7, max_run_ms=9, retries=2)
    change(told, expected_ms=0, max_run_ms=0)
    assert told.engine.state.entries[detail.row.entry].spec == spec(cores=2, memory=2 * GB, priority=3, retries=2)


def test_whoever_is_given_a_higher_priority_goes_first() -> None:
    told = told_of("n1")
    told.submit_job(cores=4)
    told.submit_job(cores=4)
    change(told, "2", priority=1)
    told.grant("a1", "n1")
    assert launches(told) == [("2", Resources(4, GB))]


def test_jobs_that_have_become_smaller_share_a_node_in_the_same_turn() -> None:
    told = told_of("n1")
    told.submit_job(ArrayRange(0, 1), cores=3)
    told.grant("a1", "n1")
    told.commands.clear()
    change(told, cores=1)
    assert launches(told) == [("1_1", Resources(1, GB))]


def test_what_runs_keeps_its_cores_until_its_next_segment() -> None:
    told = told_of("n1")
    told.submit_job(ArrayRange(0, 1), cores=2)
    told.grant("a1", "n1")
    told.launched("1_0")
    told.commands.clear()
    change(told, cores=4)
    assert told.engine.state.allocations[AllocationId("a1")].used == Resources(4, 2 * GB)
    detail = job_detail(told.engine.state, JobId("1_0"))
    assert detail is not None
    assert (detail.row.resources.cores, detail.spec.resources.cores) == (2, 4)
    told.tell(JobCancelled(target=JobId("1_1")))
    told.tell(Exited(job=JobId("1_1"), fence=Fence(1), code=-9, at=told.now, cause="agent"))
    left = snapshot("1_0", 1, 1, 5000)
    told.tell(Frozen(job=JobId("1_0"), fence=Fence(1), snapshot=left, at=told.now, freeze_ms=Millis(9), reason="x"))
    assert launches(told) == [("1_0", Resources(4, GB))]


def test_an_agent_that_did_not_hear_of_a_launch_is_told_of_it_as_it_was() -> None:
    told = told_of("n1")
    told.submit_job(cores=2)
    told.grant("a1", "n1")
    change(told, cores=4)
    told.commands.clear()
    ready = AgentReady(allocation=AllocationId("a1"), node=report("n1").name, resources=NODE, until=None)
    told.tell(ready)
    assert launches(told) == [("1", Resources(2, GB))]


def test_a_maximum_run_time_holds_for_what_runs_already() -> None:
    told = told_of("n1")
    told.submit_job(ArrayRange(0, 1))
    told.tell(JobHeld(target=JobId("1_1"), reason="x"))
    told.grant("a1", "n1")
    told.launched("1_0")
    change(told, max_run_ms=10_000)
    assert [type(command) for command in told.tick(9_000).commands] == []
    change(told, max_run_ms=20_000)
    assert [type(command) for command in told.tick(9_000).commands] == []
    assert [type(command) for command in told.tick(3_000).commands] == [Kill]


def test_a_job_that_may_run_for_ever_again_is_not_ended() -> None:
    told = told_of("n1")
    told.submit_job(max_run_ms=10_000)
    told.grant("a1", "n1")
    told.launched("1")
    change(told, max_run_ms=0)
    assert told.tick(50_000).commands == ()


def test_more_retries_hold_for_what_runs_already() -> None:
    told = told_of("n1")
    told.submit_job()
    told.grant("a1", "n1")
    change(told, retries=1)
    told.tell(Exited(job=JobId("1"), fence=Fence(1), code=3, at=told.now, cause="workload"))
    assert told.state_of("1") == "Delayed"


def test_a_change_that_is_wished_for_twice_is_one_change_and_a_restart_knows_it() -> None:
    told = told_of("n1")
    told.submit_job()
    told.tell(JobHeld(target=JobId("1"), reason="x"))
    change(told, priority=4)
    again = change(told, priority=4)
    assert (again.refusal, again.facts) == (None, ())
    assert Engine.restore(told.facts).state == told.engine.state


def test_a_change_that_could_not_have_been_submitted_is_refused() -> None:
    told = told_of("n1")
    told.submit_job()
    too_large = "job 1 cannot be so: no node is large enough: the largest has 4 cores, 8192 MiB of memory and 0 GPUs"
    assert against(told, cores=5) == ("invalid", too_large)
    assert against(told, retries=-1) == ("invalid", "job 1 cannot be so: retries cannot be negative")
    assert against(told, expected_ms=-1) == ("invalid", "job 1 cannot be so: durations must be positive")
    assert against(told) == ("invalid", "nothing is said that is to change of job 1")


@pytest.mark.parametrize("target", ["9", "x", "1_9"])
def test_what_does_not_exist_is_not_changed(target: str) -> None:
    told = told_of("n1")
    told.submit_job(ArrayRange(0, 3))
    assert against(told, target, priority=1)[0] == "unknown"


def test_neither_what_is_over_nor_one_task_alone_is_changed() -> None:
    told = told_of("n1")
    told.submit_job(ArrayRange(0, 3))
    because = "the tasks of array 1 are alike, and 1_2 cannot be changed alone; `idleq modify 1` changes all that are not over"
    assert against(told, "1_2", priority=1) == ("conflict", because)
    told.tell(JobCancelled(target=JobId("1")))
    assert against(told, priority=1) == ("conflict", "job 1 is over already")
