"""What seldom happens in a turn, and has to come out right all the same."""

from msgspec import structs

from idleq.ids import AllocationId, CommandId, EntryId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.apply import apply
from idleq.scheduler.core.commands import RequestAllocation, SegmentPlan
from idleq.scheduler.core.costs import Costs
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.inputs import (
    AgentLeaving,
    AllocationLost,
    Exited,
    Frozen,
    JobCancelled,
    NodeReport,
    Progressed,
    Reconciled,
    ViewChanged,
)
from idleq.scheduler.core.job import Killing, Running
from idleq.scheduler.core.placement import first_paying
from idleq.scheduler.core.policy import MINUTE, Policy
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.scheduler.core.retention import snapshot_rows
from idleq.scheduler.core.rows import SnapshotRow
from idleq.scheduler.core.sitefacts import StrayGranted
from idleq.scheduler.core.submission import ArrayRange, Submission
from support.engines import GB, START, Told, report, snapshot, spec

JOB = JobId("1")


def running(policy: Policy = Policy(), *, planned: int | None = None) -> Told:  # noqa: B008 - it is frozen
    told = Told(policy)
    told.see(report("n1", planned=planned))
    told.submit_job()
    told.grant("a1", "n1")
    told.launched("1")
    return told


def saves(told: Told, number: int, save_ms: int | None = None) -> None:
    told.tell(
        Progressed(
            job=JOB,
            fence=Fence(1),
            step=number,
            total=9,
            saved=snapshot("1", 1, number, run_ms=number),
            save_ms=None if save_ms is None else Millis(save_ms),
        )
    )


def kept(told: Told) -> list[str]:
    return [one.id for one in told.engine.state.jobs[JOB].snapshots]


def test_an_allocation_that_is_there_after_a_start_stays_as_it_is() -> None:
    told = running()
    decision = told.tell(Reconciled(allocations=(AllocationId("a1"),)))
    assert (decision.facts, decision.commands) == ((), ())
    assert told.state_of("1") == "Running"


def test_numbers_of_commands_never_go_back_whatever_is_told_late() -> None:
    state = Engine(Policy()).state
    for number in (5, 3):
        apply(state, START, StrayGranted(allocation=AllocationId("a9"), command=CommandId(number)))
    assert state.next_command == 6


def test_a_node_without_a_gap_can_leave_the_cluster_and_come_back() -> None:
    told = Told()
    told.see(report("n1", free=NOTHING), report("n2"))
    told.tell(ViewChanged(deltas=(), gone=(NodeName("n1"),)))
    assert list(told.engine.state.nodes) == ["n2"]
    told.see(report("n1"))
    assert told.engine.state.free_nodes.first() == [(2, "n1"), (2, "n2")]


def test_a_save_whose_time_nobody_took_is_kept_and_teaches_nothing() -> None:
    told = running()
    saves(told, 1)
    assert kept(told) == ["1-1-1"]
    assert told.engine.state.costs == Costs()


def test_a_save_on_a_node_that_has_left_the_cluster_is_kept() -> None:
    told = running()
    told.tell(ViewChanged(deltas=(), gone=(NodeName("n1"),)))
    saves(told, 1, save_ms=70)
    assert kept(told) == ["1-1-1"]
    state = told.engine.state
    assert state.typical(state.entries[EntryId(1)], None).save_ms == 70


def test_what_a_job_saves_while_it_is_being_killed_is_kept_and_does_not_save_it() -> None:
    told = running()
    told.tell(JobCancelled(target=JOB))
    saves(told, 1)
    assert kept(told) == ["1-1-1"]
    state = told.engine.state.jobs[JOB].state
    assert isinstance(state, Killing)
    assert (state.withdraw, state.segment.has_saved) == (True, True)


def test_no_more_allocations_are_asked_for_than_have_gpus_for_whoever_waits() -> None:
    told = Told(Policy(ramp_start=10))
    room = Resources(4, 8 * GB, 2)
    told.see(*(NodeReport(name=NodeName(f"n{n}"), capacity=room, free=room, is_up=True) for n in range(4)))
    wishes = structs.replace(spec(), resources=Resources(1, GB, 1))
    told.submit(Submission(spec=wishes, array=ArrayRange(0, 2)))
    assert len([one for one in told.commands if isinstance(one, RequestAllocation)]) == 2


def frozen_tasks(*sizes: int) -> Told:
    """An array whose tasks have all run and been frozen, to so many bytes."""
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, len(sizes) - 1))
    told.grant("a1", "n1")
    told.tell(AgentLeaving(allocation=AllocationId("a1"), reason="preempted"))
    for index, size in enumerate(sizes):
        job = f"1_{index}"
        left, took = snapshot(job, 1, 1, run_ms=60 * MINUTE, size=size), Millis(9 + size // 1000)
        told.launched(job)
        told.tell(Frozen(job=JobId(job), fence=Fence(1), snapshot=left, at=told.now, freeze_ms=took, reason="gap ends"))
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    return told


def test_a_gap_that_is_too_short_for_one_frozen_task_is_so_for_its_like() -> None:
    state = frozen_tasks(1000, 1000).engine.state
    (line,) = state.queue.lines.values()
    assert line.jobs == 2
    assert first_paying(state, line, Millis(5)) is None
    found = first_paying(state, line, Millis(10 * MINUTE))
    assert found is not None
    assert found[0].job == "1_0"


def test_a_gap_that_is_too_short_for_a_large_frozen_task_may_do_for_a_small_one() -> None:
    state = frozen_tasks(900_000_000, 1000, 300_000_000, 600_000_000).engine.state
    (line,) = state.queue.lines.values()
    found = first_paying(state, line, Millis(10 * MINUTE))
    assert found is not None
    assert found[0].job == "1_1"


def test_rows_of_snapshots_say_which_the_job_goes_on_from_and_which_is_in_use() -> None:
    told = running()
    saves(told, 1)
    saves(told, 2)
    old, new = told.engine.state.jobs[JOB].snapshots
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    told.grant("a2", "n1")

    def row(name: int, *, in_use: bool, is_over: bool) -> SnapshotRow:
        one = (old, new)[name]
        return SnapshotRow(job=JOB, name="w", snapshot=one, is_newest=one is new, in_use=in_use, is_over=is_over)

    assert list(snapshot_rows(told.engine.state)) == [
        row(0, in_use=False, is_over=False),
        row(1, in_use=True, is_over=False),
    ]
    assert list(snapshot_rows(told.engine.state, "somebody else")) == []


def test_an_alarm_for_a_job_is_waited_for_whatever_becomes_of_allocations() -> None:
    told = Told(Policy(retry_ms=Millis(1_000)))
    told.see(report("n1"))
    told.submit_job(retries=1)
    told.grant("a1", "n1")
    told.launched("1")
    told.tell(Exited(job=JOB, fence=Fence(1), code=1, at=told.now, cause="workload"))
    assert told.state_of("1") == "Delayed"
    assert told.engine.wake_at() == told.now + 1_000


def test_a_restart_after_entries_have_ended_looks_for_nothing_that_waited_for_them() -> None:
    told = running()
    told.tell(Exited(job=JOB, fence=Fence(1), code=0, at=told.now, cause="workload"))
    restored = Engine.restore(told.facts)
    assert not restored.state.agenda.finished
    assert restored.state == told.engine.state


def test_who_is_on_a_node_that_is_down_has_no_planned_end_any_more() -> None:
    told = running(Policy(grace_ms=Millis(0)), planned=START + 10 * MINUTE)
    before = told.engine.state.jobs[JOB].state
    assert isinstance(before, Running)
    assert before.segment.plan.ends_at == START + 10 * MINUTE
    told.see(report("n1", is_up=False))
    after = told.engine.state.jobs[JOB].state
    assert isinstance(after, Running)
    every = after.segment.plan.save_every_ms
    assert every is not None
    assert after.segment.plan == SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=every)
