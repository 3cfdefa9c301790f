from simpy import Environment

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.scheduler.core.commands import SegmentPlan
from idleq.scheduler.core.facts import Fact, SegmentFrozen, SegmentRunning, SegmentStarted
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import JobSpec
from idleq.simulator.costs import GB, GuestCosts, costs_from_journal, line_through
from idleq.simulator.kernel import advance
from idleq.simulator.pipe import Pipe

PLAN = SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None)


def froze(fence: int, gigabytes: int, took: int) -> SegmentFrozen:
    name = SnapshotId(f"1.{fence}")
    snapshot = Snapshot(
        id=name, fence=Fence(fence), digest="d", bytes=gigabytes * GB, taken_at=Millis(0), run_ms=Millis(0)
    )
    return SegmentFrozen(
        job=JobId("1"),
        fence=Fence(fence),
        snapshot=snapshot,
        ended_at=Millis(0),
        freeze_ms=Millis(took),
        reason="",
        delayed_until=None,
    )


def thawed(fence: int, source: int, took: int) -> tuple[Fact, Fact]:
    started = SegmentStarted(
        job=JobId("1"),
        fence=Fence(fence),
        allocation=AllocationId("a"),
        node=NodeName("n"),
        plan=PLAN,
        thaw_from=SnapshotId(f"1.{source}"),
        command=CommandId(1),
    )
    return started, SegmentRunning(job=JobId("1"), fence=Fence(fence), since=Millis(0), thaw_ms=Millis(took))


def test_costs_grow_with_the_memory_that_a_job_asks_for() -> None:
    costs = GuestCosts(freeze_ms=Millis(100), freeze_ms_per_gb=50, bytes=None)
    spec = JobSpec(name="w", argv=("w",), resources=Resources(1, 3 * GB))
    assert (costs.writing_of(spec), costs.save_of(spec), costs.size_of(spec)) == (150, 10_000, 3 * GB)


def test_a_journal_says_what_its_segments_cost() -> None:
    facts = [froze(1, 1, 300), *thawed(2, 1, 40), froze(2, 3, 500), *thawed(3, 2, 80)]
    assert costs_from_journal(facts) == GuestCosts(
        freeze_ms=Millis(200),
        freeze_ms_per_gb=100,
        save_ms=Millis(200),
        save_ms_per_gb=100,
        thaw_ms=Millis(20),
        thaw_ms_per_gb=20,
        bytes=2 * GB,
    )


def test_a_journal_without_a_freeze_says_nothing() -> None:
    assert costs_from_journal(thawed(2, 1, 40)) is None


def test_no_line_falls_or_begins_below_nothing() -> None:
    assert line_through([(GB, Millis(300)), (3 * GB, Millis(100))]) == (200, 0)
    assert line_through([(GB, Millis(0)), (3 * GB, Millis(400))]) == (0, 100)


def test_transfers_share_the_bandwidth_as_long_as_they_last() -> None:
    env, arrived = Environment(), list[tuple[str, int]]()
    pipe = Pipe(env, bandwidth=100)
    pipe.carry(100, lambda: arrived.append(("first", int(env.now))))
    advance(env, 500)
    pipe.carry(100, lambda: arrived.append(("second", int(env.now))))
    advance(env, 5_000)
    assert arrived == [("first", 1_500), ("second", 2_000)]
