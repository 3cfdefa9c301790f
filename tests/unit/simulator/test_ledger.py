"""What guests' cores were held for, fact by fact."""

from dataclasses import replace

from idleq.ids import AllocationId, CommandId, EntryId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.scheduler.core.commands import SegmentPlan
from idleq.scheduler.core.facts import (
    EntryAdded,
    Fact,
    JobDone,
    SegmentFrozen,
    SegmentLost,
    SegmentProgressed,
    SegmentRunning,
    SegmentStarted,
)
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import JobSpec, Submission
from idleq.simulator.costs import GuestCosts, equal_costs
from idleq.simulator.guesttimes import GuestTime, GuestTimes
from idleq.simulator.ledger import Ledger

JOB, NODE = JobId("1"), NodeName("n1")
SPEC = JobSpec(name="guest", argv=("guest",), resources=Resources(2, 1), expected_ms=Millis(100))


COSTS = equal_costs(Millis(5))


def added() -> EntryAdded:
    return EntryAdded(entry=EntryId(1), submission=Submission(spec=SPEC), request="r", user="u")


def begun(fence: int, at: int, *, thaw: bool = False, ahead: bool = False) -> tuple[int, Fact]:
    return at, SegmentStarted(
        job=JOB,
        fence=Fence(fence),
        allocation=AllocationId("a"),
        node=NODE,
        plan=SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None),
        thaw_from=SnapshotId("s") if thaw else None,
        command=CommandId(1),
        is_ahead=ahead,
    )


def up(fence: int, at: int, thaw_ms: int = 0) -> tuple[int, Fact]:
    return at, SegmentRunning(job=JOB, fence=Fence(fence), since=Millis(at), thaw_ms=Millis(thaw_ms))


def snapshot(fence: int, run_ms: int, number: int) -> Snapshot:
    name = SnapshotId(f"1.{fence}.{number}")
    return Snapshot(id=name, fence=Fence(fence), digest=name, bytes=1, taken_at=Millis(0), run_ms=Millis(run_ms))


def saved(fence: int, at: int, run_ms: int, number: int) -> tuple[int, Fact]:
    return at, SegmentProgressed(
        job=JOB, fence=Fence(fence), step=1, total=2, saved=snapshot(fence, run_ms, number), save_ms=Millis(2)
    )


def frozen(fence: int, at: int, run_ms: int, freeze_ms: int) -> tuple[int, Fact]:
    return at, SegmentFrozen(
        job=JOB,
        fence=Fence(fence),
        snapshot=snapshot(fence, run_ms, 9),
        ended_at=Millis(at),
        freeze_ms=Millis(freeze_ms),
        reason="",
        delayed_until=None,
    )


def lost(fence: int, at: int) -> tuple[int, Fact]:
    return at, SegmentLost(job=JOB, fence=Fence(fence), reason="", ended_at=Millis(at), delayed_until=None)


def done(fence: int, at: int) -> tuple[int, Fact]:
    return at, JobDone(job=JOB, fence=Fence(fence), ended_at=Millis(at), digest="d", command=CommandId(1))


def reckoned(*facts: tuple[int, Fact], until: int = 1000, costs: GuestCosts = COSTS) -> dict[str, float]:
    """Core-milliseconds by part, of two cores."""
    ledger = Ledger(costs, 1)
    for at, fact in [(0, added()), *facts]:
        ledger.saw_facts(Millis(at), (fact,))
    ledger.finish(Millis(until))
    areas = ledger.pieces.areas([0, until])
    return {part.name.lower(): round(float(area[0]), 6) for part, area in areas.items() if area[0]}


def test_of_a_frozen_segment_all_work_survived_and_what_was_no_work_went_into_saves() -> None:
    assert reckoned(begun(1, 10), up(1, 15), frozen(1, 50, run_ms=26, freeze_ms=5)) == {
        "start": 10.0,
        "useful": 52.0,
        "save": 8.0,
        "freeze": 10.0,
    }


def test_of_a_lost_segment_work_survived_until_its_last_save() -> None:
    assert reckoned(begun(1, 0), up(1, 5), saved(1, 40, run_ms=20, number=2), lost(1, 40)) == {
        "start": 10.0,
        "useful": 40.0,
        "save": 8.0,
        "lost": 22.0,
    }


def test_a_segment_that_goes_on_counts_from_where_the_job_was() -> None:
    first = (begun(1, 0), up(1, 5), frozen(1, 30, run_ms=20, freeze_ms=5))
    second = (begun(2, 100, thaw=True), up(2, 107, thaw_ms=5), done(2, 187))
    assert reckoned(*first, *second) == {"start": 14.0, "thaw": 10.0, "useful": 200.0, "freeze": 10.0}


def test_a_segment_that_never_came_up_was_all_start() -> None:
    assert reckoned(begun(1, 0), lost(1, 4)) == {"start": 8.0}


def test_a_segment_bound_ahead_holds_nothing_until_there_is_room() -> None:
    assert reckoned(begun(1, 0, ahead=True), lost(1, 4)) == {}
    assert reckoned(begun(1, 0, ahead=True), up(1, 50), lost(1, 60)) == {"start": 10.0, "lost": 20.0}


def test_a_segment_bound_ahead_holds_its_room_while_the_image_comes_for_the_first_of_its_name() -> None:
    before = (begun(1, 0), up(1, 15), frozen(1, 40, run_ms=20, freeze_ms=5))
    pulled = (begun(2, 20, ahead=True), up(2, 55), lost(2, 60))
    there = (begun(2, 20, ahead=True), up(2, 45), lost(2, 60))
    costs = replace(COSTS, image_ms=Millis(10))
    first = {"start": 30.0, "useful": 40.0, "freeze": 10.0}
    assert reckoned(*before, costs=costs) == first
    assert reckoned(*before, *pulled, costs=costs) == {**first, "start": 60.0, "lost": 10.0}
    assert reckoned(*before, *there, costs=costs) == {**first, "start": 40.0, "lost": 30.0}


def test_what_still_runs_when_the_measuring_ends_has_saved_a_part() -> None:
    running = (begun(1, 0), up(1, 5), saved(1, 50, run_ms=20, number=1))
    assert reckoned(*running, until=50) == {"start": 10.0, "useful": 40.0, "save": 4.0, "unsaved": 46.0}


def test_nothing_counts_after_the_end() -> None:
    ledger = Ledger(equal_costs(Millis(5)), 1)
    ledger.saw_facts(Millis(0), (added(),))
    ledger.finish(Millis(10))
    ledger.saw_facts(Millis(20), (begun(1, 20)[1],))
    assert (len(ledger.pieces), ledger.segments) == (0, 0)


def test_a_guests_times_are_from_submit_to_its_end() -> None:
    times = GuestTimes(equal_costs(Millis(5)))
    times.saw_facts(Millis(20), (added(),))
    times.saw_facts(Millis(320), (done(1, 320)[1],))
    assert times.between(Millis(0), Millis(400)) == (
        1,
        [GuestTime(submitted=Millis(20), done=Millis(320), run_ms=Millis(100))],
    )
    assert (times.done[0].turnaround_ms, times.done[0].stretch) == (300, 3.0)
    assert times.between(Millis(0), Millis(319)) == (1, [])
    assert times.between(Millis(21), Millis(400)) == (0, [])
