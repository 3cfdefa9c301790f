"""How segments begin and end, and what becomes of their jobs."""

from dataclasses import replace

import pytest
from msgspec import structs

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.scheduler.core.commands import (
    Freeze,
    Kill,
    Launch,
    Mode,
    Publish,
    ReleaseAllocation,
    Replan,
    RequestAllocation,
)
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.facts import JobDone, SegmentProgressed
from idleq.scheduler.core.inputs import (
    AgentLeaving,
    AgentReady,
    AllocationGranted,
    AllocationLost,
    CommandFailed,
    Exited,
    Frozen,
    JobCancelled,
    JobHeld,
    JobReleased,
    LeaseExpired,
    MainJobStarted,
    NodeLost,
    Paused,
    Progressed,
    Reconciled,
    SnapshotRejected,
    ViewChanged,
)
from idleq.scheduler.core.job import Done, Failed, Job, Queued
from idleq.scheduler.core.lifecycle import IllegalTransition, check, may_follow
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.resources import NOTHING
from idleq.scheduler.core.state import Hold
from idleq.scheduler.core.submission import Submission
from support.engines import NODE, START, Told, report, snapshot, spec


def running(**wishes: object) -> Told:
    """Job 1 runs on n1 in allocation a1."""
    told = Told(Policy(stall_segments=2, retry_ms=Millis(1000)))
    told.see(report("n1"), report("n2"))
    told.submit_job(**wishes)  # type: ignore[arg-type]  # passed through
    told.grant("a1", "n1")
    told.launched("1")
    return told


def exited(told: Told, code: int, *, fence: int = 1, cause: str = "workload", reason: str = "") -> list[str]:
    """Let the job's segment exit; return what became so."""
    what = Exited(job=JobId("1"), fence=Fence(fence), code=code, at=told.now, cause=cause, reason=reason)  # type: ignore[arg-type]  # one of the two
    return [type(fact).__name__ for fact in told.tell(what).facts]


def frozen(told: Told, *, fence: int = 1, number: int = 1, run_ms: int = 5000, reason: str = "gap ends") -> Frozen:
    """What a freeze of the job tells."""
    left = snapshot("1", fence, number, run_ms)
    return Frozen(job=JobId("1"), fence=Fence(fence), snapshot=left, at=told.now, freeze_ms=Millis(700), reason=reason)


def test_exit_code_0_is_the_result_and_is_published_once() -> None:
    told = running()
    told.commands.clear()
    assert told.launched("1").facts == ()
    assert exited(told, 0) == ["JobDone"]
    assert exited(told, 0) == []
    assert told.commands == [Publish(id=CommandId(3), job=JobId("1"), fence=Fence(1))]


def test_a_frozen_job_is_thawed_from_its_newest_snapshot_under_a_new_number() -> None:
    told = running()
    told.commands.clear()
    told.tell(frozen(told))
    launch = next(c for c in told.commands if isinstance(c, Launch))
    assert (launch.fence, launch.thaw_from) == (2, snapshot("1", 1, 1, 5000))


def test_a_failing_workload_is_retried_as_often_as_it_may_with_doubled_waits() -> None:
    told = running(retries=2)
    for fence, wait in ((1, 1000), (2, 2000)):
        assert exited(told, 3, fence=fence) == ["SegmentFailed"]
        assert told.state_of("1") == "Delayed"
        told.tick(wait - 1)
        assert told.state_of("1") == "Delayed"
        told.tick(1)
        assert told.state_of("1") == "Starting"
    assert exited(told, -11, fence=3) == ["JobFailed"]
    job = told.engine.state.jobs[JobId("1")]
    assert isinstance(job.state, Failed)
    assert (job.state.reason, job.state.code) == ("ended by signal 11", -11)


def test_a_closed_gap_is_not_a_failure() -> None:
    told = running(retries=0)
    assert exited(told, -9, cause="agent", reason="the gap closed")[0] == "SegmentLost"
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    assert told.engine.state.jobs[JobId("1")].failures == 0


def test_a_job_without_progress_is_held_with_the_reason() -> None:
    told = running()
    for fence in (1, 2):
        exited(told, -9, fence=fence, cause="agent", reason="the gap closed")
        if fence == 1:
            told.launched("1", 2)
    assert told.state_of("1") == "Held"
    told.tell(JobReleased(target=JobId("1")))
    assert told.engine.state.jobs[JobId("1")].stalled == 0


def test_a_freeze_without_any_new_step_counts_as_no_progress() -> None:
    told = running()
    told.tell(Progressed(job=JobId("1"), fence=Fence(1), step=5, total=9))
    told.tell(frozen(told))
    told.launched("1", 2, thaw_ms=100)
    told.tell(frozen(told, fence=2, number=2))
    assert told.engine.state.jobs[JobId("1")].stalled == 1


def test_late_news_of_a_segment_that_was_given_up_counts_until_a_newer_one_starts() -> None:
    told = running()
    told.see(report("n1", is_up=False), report("n2", is_up=False))
    told.tell(LeaseExpired(allocation=AllocationId("a1")))
    assert told.state_of("1") == "Queued"
    told.tell(frozen(told))
    told.tell(frozen(told))
    assert told.engine.state.jobs[JobId("1")].snapshots == (snapshot("1", 1, 1, 5000),)
    assert exited(told, 0) == ["JobDone"]


def test_a_stale_segments_result_is_refused() -> None:
    told = running()
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="node failed"))
    told.grant("a2", "n2")
    assert told.engine.state.jobs[JobId("1")].fence == 2
    assert exited(told, 0, fence=1) == []
    assert told.tell(frozen(told, fence=1)).facts == ()
    assert exited(told, 0, fence=2) == ["JobDone"]


def test_a_damaged_snapshot_falls_back_to_the_one_before_and_then_to_the_beginning() -> None:
    told = running()
    saved = snapshot("1", 1, 1, 1000)
    told.tell(Progressed(job=JobId("1"), fence=Fence(1), step=1, total=9, saved=saved, save_ms=Millis(50)))
    told.tell(frozen(told, number=2))
    for fence, bad, left in ((2, "1-1-2", (saved,)), (3, "1-1-1", ())):
        told.commands.clear()
        told.tell(SnapshotRejected(job=JobId("1"), fence=Fence(fence), snapshot=SnapshotId(bad), reason="checksum"))
        assert told.engine.state.jobs[JobId("1")].snapshots == left
        if left:
            assert [c.thaw_from for c in told.commands if isinstance(c, Launch)] == [saved]
    assert told.engine.state.jobs[JobId("1")].run_ms == 0


def test_a_rejection_while_being_ended_ends_it() -> None:
    told = running()
    told.tell(frozen(told))
    told.tell(JobCancelled(target=JobId("1")))
    rejected = SnapshotRejected(job=JobId("1"), fence=Fence(2), snapshot=SnapshotId("1-1-1"), reason="checksum")
    told.tell(rejected)
    assert told.state_of("1") == "Cancelled"
    assert told.tell(rejected).facts == ()


def test_a_cancelled_job_stays_cancelled_whatever_its_segment_still_says() -> None:
    for end in ("exit", "freeze", "lost"):
        told = running()
        told.tell(JobCancelled(target=JobId("1")))
        told.tell(JobCancelled(target=JobId("1")))
        told.tell(JobHeld(target=JobId("1"), reason="late"))
        if end == "exit":
            assert exited(told, 0) == ["JobWithdrawn"]
        elif end == "freeze":
            told.tell(frozen(told))
        else:
            told.tell(AllocationLost(allocation=AllocationId("a1"), reason="over"))
        assert told.state_of("1") == "Cancelled"


def test_a_job_that_runs_longer_than_it_may_fails() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(max_run_ms=10_000)
    told.grant("a1", "n1")
    told.tick(3_000)
    told.launched("1")
    assert told.tick(7_500).facts == ()
    decision = told.tick(2_500)
    assert [type(command) for command in decision.commands] == [Kill]
    exited(told, -9, cause="agent")
    assert told.state_of("1") == "Failed"
    assert not [c for c in told.tick(10_000_000).commands if isinstance(c, Kill)]


def test_the_kill_of_an_overlong_job_counts_what_earlier_segments_ran() -> None:
    told = running(max_run_ms=10_000)
    told.tell(frozen(told, run_ms=9_000))
    told.launched("1", 2)
    assert [type(command) for command in told.tick(1_000).commands] == [Kill]
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="over"))
    assert told.state_of("1") == "Failed"


def test_hold_freezes_and_keeps_the_job_until_its_release() -> None:
    told = running()
    told.tell(JobHeld(target=JobId("1"), reason="look"))
    told.tell(JobHeld(target=JobId("1"), reason="look again"))
    told.tell(frozen(told, reason="look"))
    assert told.state_of("1") == "Held"


def test_progress_is_kept_when_it_is_new_and_known_saves_are_not_counted_twice() -> None:
    told = running()
    step = Progressed(job=JobId("1"), fence=Fence(1), step=3, total=9)
    assert [type(fact) for fact in told.tell(step).facts] == [SegmentProgressed]
    assert told.tell(step).facts == ()
    further = structs.replace(step, step=4)
    assert told.tell(further).facts == ()
    assert len(told.tell(further, after_ms=told.policy.progress_ms).facts) == 1
    save = structs.replace(step, saved=snapshot("1", 1, 1, 100), save_ms=Millis(20))
    assert len(told.tell(save).facts) == 1
    assert told.tell(save).facts == ()
    assert told.tell(structs.replace(step, fence=Fence(2))).facts == ()


def test_an_agent_that_comes_back_is_told_again_what_it_may_not_have_heard() -> None:
    told = Told()
    told.see(report("n1"))
    for cores in (1, 1, 1, 1):
        told.submit_job(cores=cores)
    told.grant("a1", "n1")
    for job in ("2", "3", "4"):
        told.launched(job)
    told.tell(JobCancelled(target=JobId("3")))
    told.tell(JobHeld(target=JobId("4"), reason="x"))
    hosts = tuple((JobId(job), Fence(1)) for job in ("2", "3", "4"))
    again = told.tell(
        AgentReady(allocation=AllocationId("a1"), node=NodeName("n1"), resources=NODE, until=None, guests=hosts)
    )
    assert [
        (type(c), c.job) for c in again.commands if not isinstance(c, RequestAllocation | ReleaseAllocation | Publish)
    ] == [
        (Launch, "1"),
        (Replan, "2"),
        (Kill, "3"),
        (Freeze, "4"),
    ]
    assert again.facts == ()


def test_a_segment_that_its_agent_no_longer_hosts_is_over_and_a_stray_one_is_ended() -> None:
    told = running()
    stray = ((JobId("1"), Fence(7)), (JobId("99"), Fence(1)))
    decision = told.tell(
        AgentReady(allocation=AllocationId("a1"), node=NodeName("n1"), resources=NODE, until=None, guests=stray)
    )
    facts = [type(fact).__name__ for fact in decision.facts]
    assert facts[:3] == ["SegmentLost", "StrayFound", "StrayFound"]
    assert [c.job for c in decision.commands if isinstance(c, Kill)] == ["1", "99"]


def test_an_agent_of_an_allocation_that_is_over_is_sent_away() -> None:
    told = Told()
    decision = told.tell(AgentReady(allocation=AllocationId("a9"), node=NodeName("n1"), resources=NODE, until=None))
    assert decision.refusal is not None
    assert decision.refusal.kind == "unknown"


def test_a_leaving_agent_gets_no_more_jobs() -> None:
    told = running(cores=1)
    told.tell(AgentLeaving(allocation=AllocationId("a1"), reason="preempted"))
    assert told.tell(AgentLeaving(allocation=AllocationId("a1"), reason="preempted")).facts == ()
    told.tell(frozen(told, reason="preempted"))
    assert told.state_of("1") == "Queued"
    told.tell(LeaseExpired(allocation=AllocationId("a9")))


def test_after_a_restart_what_never_arrived_is_asked_for_again_and_what_is_gone_is_over() -> None:
    told = Told(Policy(ramp_start=9))
    told.see(*(report(f"n{i}") for i in range(4)))
    told.submit(*[Submission(spec=spec(cores=4))] * 4)
    assert set(told.engine.state.asked) == {"a1", "a2", "a3", "a4"}
    told.grant("a1", "n0")
    told.grant("a3", "n2")
    exited(told, 0)
    told.tell(Reconciled(allocations=()), after_ms=1)
    asked = [c.allocation for c in told.commands if isinstance(c, RequestAllocation)]
    assert asked.count(AllocationId("a2")) == 2
    assert AllocationId("a3") not in told.engine.state.allocations


def test_a_release_that_may_not_have_arrived_is_told_again() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    exited(told, 0)
    told.tick(5_000)
    told.commands.clear()
    told.submit_job()
    told.tell(Reconciled(allocations=(AllocationId("a1"), AllocationId("a2"))))
    told.grant("a2", "n1")
    told.commands.clear()
    told.tell(Reconciled(allocations=(AllocationId("a1"), AllocationId("a2"))))
    assert [type(command) for command in told.commands] == [ReleaseAllocation]


def test_a_refused_request_slows_further_ones_down() -> None:
    told = Told(Policy(slow_ms=Millis(60_000)))
    told.see(report("n1"))
    request = told.submit_job().commands[0]
    assert isinstance(request, RequestAllocation)
    told.tell(CommandFailed(command=request.id, reason="too many jobs", transient=True))
    assert told.engine.state.allocations == {}
    assert told.tick(59_000).commands == ()
    assert [type(command) for command in told.tick(1_000).commands] == [RequestAllocation]


def test_a_launch_that_failed_loses_the_segment_not_the_job() -> None:
    told = Told(Policy(retry_ms=Millis(1000)))
    told.see(report("n1"))
    told.submit_job()
    launch = next(c for c in told.grant("a1", "n1").commands if isinstance(c, Launch))
    told.tell(CommandFailed(command=launch.id, reason="disk full", transient=True))
    assert told.state_of("1") == "Delayed"
    assert told.tell(CommandFailed(command=CommandId(999), reason="?", transient=True)).facts == ()


def test_a_node_that_has_failed_keeps_its_guests_until_their_lease_is_over_and_they_save_if_they_live() -> None:
    told = running()
    lost = NodeLost(allocation=AllocationId("a1"), reason="no ping")
    decision = told.tell(lost)
    assert [type(fact).__name__ for fact in decision.facts] == ["AllocationFailed", "FreezeAsked"]
    (freeze,) = decision.commands
    assert freeze == Freeze(
        id=freeze.id, allocation=AllocationId("a1"), job=JobId("1"), fence=Fence(1), reason="its node failed"
    )
    unknown = NodeLost(allocation=AllocationId("a9"), reason="no ping")
    assert (told.tell(lost).facts, told.tell(unknown).facts) == ((), ())
    assert told.state_of("1") == "Freezing"
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="its node failed"))
    assert told.state_of("1") == "Queued"


def test_what_is_frozen_or_given_back_on_a_node_that_fails_stays_so_and_what_only_waits_for_it_is_not_lost() -> None:
    told = running()
    told.tell(Paused(empty=True, reason="maintenance"))
    told.tell(frozen(told))
    (released,) = told.engine.state.allocations.values()
    assert released.hold is Hold.RELEASED
    told.tell(NodeLost(allocation=AllocationId("a1"), reason="no ping"))
    assert (released.hold, released.has_failed) == (Hold.RELEASED, True)

    told = running()
    told.tell(Paused(empty=True, reason="maintenance"))
    decision = told.tell(NodeLost(allocation=AllocationId("a1"), reason="no ping"))
    assert [type(fact).__name__ for fact in decision.facts] == ["AllocationFailed"]

    told = Told(Policy(mode=Mode.WINDOW))
    told.see(report("n1"))
    told.submit_job()
    (asked,) = told.engine.state.allocations.values()
    assert asked.node == "n1"
    told.tell(NodeLost(allocation=asked.id, reason="no ping"))
    assert not asked.has_failed


def test_what_a_main_job_had_to_wait_is_kept() -> None:
    told = Told()
    held_up = MainJobStarted(
        main_job="m", nodes=(NodeName("n1"),), waited_ms=Millis(900), bound_ms=Millis(2000), guests_alive=0
    )
    assert [type(fact).__name__ for fact in told.tell(held_up).facts] == ["MainJobHeldUp"]


def test_a_grant_twice_changes_nothing_and_one_of_what_was_given_up_is_given_back() -> None:
    told = running()
    granted = AllocationGranted(allocation=AllocationId("a1"), node=NodeName("n1"), resources=NODE, until=None)
    assert told.tell(granted).facts == ()
    (back,) = told.tell(structs.replace(granted, allocation=AllocationId("a77"))).commands
    assert isinstance(back, ReleaseAllocation)
    assert back.allocation == "a77"
    assert told.tell(AllocationLost(allocation=AllocationId("a77"), reason="?")).facts == ()


def test_nodes_come_and_go() -> None:
    told = running()
    gone = (NodeName("n2"), NodeName("n7"))
    told.tell(ViewChanged(deltas=(), gone=gone))
    assert list(told.engine.state.nodes) == ["n1"]
    assert told.tell(ViewChanged(deltas=(), gone=gone)).facts == ()
    told.tell(ViewChanged(deltas=(), gone=(NodeName("n1"),)))
    exited(told, 0)
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="over"))
    assert told.engine.state.allocations == {}
    told.see(report("n1", free=NOTHING))
    assert told.engine.state.nodes[NodeName("n1")].gap is None


def test_the_clock_never_runs_backwards() -> None:
    told = running()
    told.now = Millis(START - 1_000_000)
    assert exited(told, 0) == ["JobDone"]
    assert told.facts[-1][0] >= START


def test_a_step_that_the_table_does_not_have_is_refused() -> None:
    job = Job(id=JobId("1"), entry=running().engine.state.jobs[JobId("1")].entry, state=Queued(), queued_since=START)
    fact = JobDone(job=JobId("1"), fence=Fence(1), ended_at=START, digest="", command=CommandId(1))
    assert may_follow(Queued(), JobDone)
    check(job, fact, Done(Fence(1), START))
    with pytest.raises(IllegalTransition, match="job 1 cannot go Queued -> Queued: JobDone"):
        check(job, fact, Queued())


def test_only_the_segment_that_was_not_launched_is_lost_with_its_command() -> None:
    told = Told(Policy(retry_ms=Millis(1000)))
    told.see(report("n1"))
    told.submit_job()
    told.submit_job()
    first, second = (c for c in told.grant("a1", "n1").commands if isinstance(c, Launch))
    told.launched("1")
    told.tell(CommandFailed(command=first.id, reason="late", transient=True))
    told.tell(CommandFailed(command=second.id, reason="disk full", transient=True))
    assert (told.state_of("1"), told.state_of("2")) == ("Running", "Delayed")


def test_an_allocation_may_start_on_a_node_that_was_not_seen_yet() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n7")
    assert told.state_of("1") == "Starting"
    told.see(report("n7"))
    assert told.engine.state.nodes[NodeName("n7")].allocation == "a1"


def test_the_same_policy_again_is_not_a_change() -> None:
    told = Told()
    assert told.engine.configure(told.policy, told.now).facts == ()
    assert told.engine.wake_at() is None
    (changed,) = told.engine.configure(replace(told.policy, ramp_start=7), told.now).facts
    assert type(changed).__name__ == "PolicySet"


def test_a_delay_that_was_cut_short_rings_in_vain() -> None:
    told = running(retries=1)
    exited(told, 1)
    told.tell(JobCancelled(target=JobId("1")))
    assert [type(fact).__name__ for fact in told.tick(1_000).facts] in ([], ["AllocationReleased"])
    assert told.state_of("1") == "Cancelled"


def test_a_job_that_leaves_saved_at_once_again_and_again_is_slowed_and_then_held() -> None:
    told = running()
    told.tell(frozen(told, run_ms=20, reason="it left by itself, saved"))
    assert told.state_of("1") == "Delayed"
    told.tick(1_000)
    told.launched("1", 2)
    told.tell(frozen(told, fence=2, number=2, run_ms=40, reason="it left by itself, saved"))
    assert told.state_of("1") == "Held"


def test_progress_is_reckoned_from_the_snapshot_that_a_segment_began_with() -> None:
    told = running()
    told.tell(Progressed(job=JobId("1"), fence=Fence(1), step=1000, total=2000))
    told.tell(LeaseExpired(allocation=AllocationId("a1")))
    assert told.engine.state.jobs[JobId("1")].step == 0
    told.grant("a2", "n2")
    told.launched("1", 2)
    early = structs.replace(snapshot("1", 2, 1, 9_000), step=150)
    told.tell(structs.replace(frozen(told, fence=2), snapshot=early))
    job = told.engine.state.jobs[JobId("1")]
    assert (job.step, job.stalled) == (150, 0)


def test_a_late_command_failure_still_finds_its_launch_after_the_plan_has_moved() -> None:
    told = Told(Policy(retry_ms=Millis(1000)))
    told.see(report("n1"))
    told.submit_job()
    launch = next(c for c in told.grant("a1", "n1").commands if isinstance(c, Launch))
    told.see(report("n1", planned=told.now + 600_000))
    told.tell(CommandFailed(command=launch.id, reason="cannot thaw", transient=True))
    assert told.state_of("1") == "Delayed"


def test_an_agent_that_cannot_start_jobs_gets_no_more_and_the_jobs_are_not_blamed() -> None:
    told = Told(Policy(retry_ms=Millis(1000), linger_ms=Millis(500)))
    told.see(report("n1"))
    told.submit_job()
    (launch,) = (c for c in told.grant("a1", "n1").commands if isinstance(c, Launch))
    told.tell(CommandFailed(command=launch.id, reason="disk full", transient=True))
    again = next(c for c in told.tick(1_000).commands if isinstance(c, Launch))
    told.tell(CommandFailed(command=again.id, reason="disk full", transient=True))
    assert told.engine.state.allocations[AllocationId("a1")].hold == "closing"
    assert told.engine.state.jobs[JobId("1")].stalled == 0
    assert ReleaseAllocation in [type(command) for command in told.tick(500).commands]


def test_a_launch_that_failed_while_its_job_was_being_cancelled_ends_it() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    (launch,) = (c for c in told.grant("a1", "n1").commands if isinstance(c, Launch))
    told.tell(JobCancelled(target=JobId("1")))
    told.tell(CommandFailed(command=launch.id, reason="disk full", transient=True))
    assert told.state_of("1") == "Cancelled"


def test_what_could_not_be_given_back_is_given_back_later() -> None:
    told = Told(Policy(linger_ms=Millis(100), slow_ms=Millis(5_000)))
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    exited(told, 0)
    (back,) = told.tick(100).commands
    told.tell(CommandFailed(command=back.id, reason="slurmctld is away", transient=True))
    assert told.tick(4_999).commands == ()
    (again,) = told.tick(1).commands
    assert isinstance(again, ReleaseAllocation)
    told.tell(CommandFailed(command=back.id, reason="slurmctld is away", transient=True))
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="over"))
    assert told.tick(5_000).commands == ()


def test_an_agent_that_stays_although_it_said_that_it_leaves_is_sent_away() -> None:
    told = running()
    told.tell(AgentLeaving(allocation=AllocationId("a1"), reason="the daemon has been silent for too long"))
    told.tell(frozen(told))
    (back,) = [c for c in told.tick(10_000).commands if isinstance(c, ReleaseAllocation)]
    assert back.allocation == "a1"


def test_an_agent_that_never_came_up_does_not_hold_its_node_for_ever() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.tell(AllocationGranted(allocation=AllocationId("a1"), node=NodeName("n1"), resources=NODE, until=None))
    assert ReleaseAllocation in [type(c) for c in told.tell(LeaseExpired(allocation=AllocationId("a1"))).commands]


def test_holding_a_job_that_is_being_frozen_anyway_keeps_it_back() -> None:
    told = running()
    told.tell(Paused(empty=True, reason="power cut"))
    told.tell(JobHeld(target=JobId("1"), reason="look"))
    told.tell(frozen(told))
    assert told.state_of("1") == "Held"


def test_a_whole_snapshot_that_did_not_go_on_is_tried_on_another_node_before_it_is_dropped() -> None:
    told = running()
    told.tell(frozen(told))
    saved = told.engine.state.jobs[JobId("1")].snapshots
    told.see(report("n1"), report("n2"))

    def reject(fence: int) -> None:
        told.tell(
            SnapshotRejected(
                job=JobId("1"), fence=Fence(fence), snapshot=saved[-1].id, reason="no space left", is_whole=True
            )
        )

    told.commands.clear()
    reject(2)
    assert (told.state_of("1"), told.engine.state.jobs[JobId("1")].snapshots) == ("Delayed", saved)
    told.tick(1_000)
    told.grant("a2", "n2")
    assert [(one.allocation, one.thaw_from) for one in told.commands if isinstance(one, Launch)] == [("a2", saved[-1])]

    reject(3)
    assert told.engine.state.jobs[JobId("1")].snapshots == ()
    explained = explain(told.engine.state, JobId("1"), told.now)
    assert explained is not None
    assert "Its snapshot 1-1-1 cannot be used (no space left), and it begins anew." in explained.sentences
