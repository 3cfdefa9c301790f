"""What facts that begin or end segments, or are about jobs without one, make of the state: the job's next state, and the books."""

from heapq import heappush
from typing import assert_never

from msgspec.structs import replace

from idleq.ids import Millis, index_of
from idleq.scheduler.core.apply_cluster import offer_room
from idleq.scheduler.core.apply_entries import note_if_over
from idleq.scheduler.core.entry import Entry
from idleq.scheduler.core.facts import (
    JobDone,
    JobFailed,
    JobHeldBack,
    JobLetGo,
    JobWithdrawn,
    MoveEased,
    SegmentFailed,
    SegmentFrozen,
    SegmentLost,
    SegmentStarted,
    SnapshotDropped,
)
from idleq.scheduler.core.job import (
    Cancelled,
    Delayed,
    Done,
    Failed,
    Freezing,
    Held,
    Job,
    JobState,
    Queued,
    Segment,
    Starting,
    Waiting,
)
from idleq.scheduler.core.lifecycle import PassageFact, check
from idleq.scheduler.core.lines import leave_line, stand_alone, stand_in_line
from idleq.scheduler.core.methods import method_of
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.state import Alarm, Allocation, State
from idleq.scheduler.core.submission import FreezeMethod


def apply_job(state: State, at: Millis, fact: PassageFact) -> None:
    """Change *state* as *fact* says.

    Raises:
        IllegalTransition: the fact cannot happen to the job in its state.
    """
    job = state.job(fact.job)
    assert job is not None  # facts name jobs that exist
    entry, before = state.entries[job.entry], job.segment
    after = _step(job, before, fact, entry, at=at, kept=state.policy.generations)
    check(job, fact, after.state)
    _learn(state, entry, before, fact)
    if job.id not in state.jobs:
        _touch(state, entry, job)
    state.jobs[job.id] = after
    if job.move is not None:
        _note_move(state, after)
    if isinstance(fact, SnapshotDropped):
        _stand_anew(state, entry, after)
    else:
        _keep_books(state, entry, job, after)
    if isinstance(fact, SegmentLost):
        if fact.launch_failed and before is not None:
            state.allocations[before.allocation].failed_launches += 1
        if fact.move is not None:
            heappush(state.alarms, (fact.move.until, Alarm.MOVE, job.id))


def _step(job: Job, segment: Segment | None, fact: PassageFact, entry: Entry, *, at: Millis, kept: int) -> Job:
    """Return *job* of *entry*, whose present one is *segment*, as it is after *fact*; so many snapshots of it are *kept*."""
    match fact:
        case SegmentStarted():
            begun = Segment(
                fence=fact.fence,
                allocation=fact.allocation,
                node=fact.node,
                resources=entry.spec.resources,
                plan=fact.plan,
                launch=fact.command,
                command=fact.command,
                thaw_from=fact.thaw_from,
                bound_at=at,
                first_step=job.step,
                first_run_ms=job.run_ms,
                is_ahead=fact.is_ahead,
            )
            return replace(job, state=Starting(begun), fence=fact.fence, move=None)
        case SegmentFrozen() | SegmentLost() | SegmentFailed():
            return _after_segment(job, segment, fact, kept)
        case SnapshotDropped(snapshot=dropped, reason=reason):
            left = tuple(snapshot for snapshot in job.snapshots if snapshot.id != dropped)
            run_ms = left[-1].run_ms if left else Millis(0)
            then = "it goes on from the one before" if left else "it begins anew"
            said = f"its snapshot {dropped} cannot be used ({reason}), and {then}"
            return replace(job, snapshots=left, run_ms=job.run_ms if job.is_final else run_ms, dropped=said)
        case JobDone(fence=fence, ended_at=ended_at):
            return job.in_state(Done(fence, ended_at))
        case JobFailed(reason=reason, code=code, ended_at=ended_at):
            return job.in_state(Failed(reason, code, ended_at))
        case JobWithdrawn(reason=reason):
            return job.in_state(Cancelled(reason, at))
        case JobHeldBack(reason=reason):
            return replace(job, state=Held(reason), move=None)
        case MoveEased(move=move):
            return replace(job, move=move)
        case JobLetGo():
            stalled = 0 if isinstance(job.state, Held) else job.stalled
            return replace(job, state=Queued() if entry.is_ready else Waiting(), stalled=stalled)
        case _:
            assert_never(fact)


def _after_segment(
    job: Job, segment: Segment | None, fact: SegmentFrozen | SegmentLost | SegmentFailed, kept: int
) -> Job:
    if segment is None:  # late news of a segment that was given up
        assert isinstance(fact, SegmentFrozen)
        return _with_snapshot(job, fact.snapshot, kept)
    state: JobState = Queued() if fact.delayed_until is None else Delayed(fact.delayed_until, fact.reason)
    if isinstance(job.state, Freezing) and job.state.hold:
        lost = "" if isinstance(fact, SegmentFrozen) else f"; what it had not saved is lost ({fact.reason})"
        state = Held(f"{job.state.reason}{lost}")
    match fact:
        case SegmentLost():
            # One that never ran says nothing about the workload.
            has_tried = segment.since is not None
            stalled = 0 if segment.has_saved else job.stalled + has_tried
            misses = 0 if fact.move is None else job.misses + 1
            move = job.move if fact.move is None else fact.move
            return replace(job, state=state, stalled=stalled, step=_saved_step(job), move=move, misses=misses)
        case SegmentFrozen():
            stalled = 0 if fact.has_moved else job.stalled + 1
            return replace(_with_snapshot(job, fact.snapshot, kept), state=state, stalled=stalled)
        case SegmentFailed():
            return replace(job, state=state, failures=job.failures + 1, step=_saved_step(job))
        case _:
            assert_never(fact)


def _with_snapshot(job: Job, snapshot: Snapshot, kept: int) -> Job:
    snapshots = (*job.snapshots, snapshot)[-kept:]
    return replace(job, snapshots=snapshots, run_ms=snapshot.run_ms, step=snapshot.step or job.step, dropped="")


def _saved_step(job: Job) -> int:
    """Return how far the job is once its segment is lost."""
    return job.snapshots[-1].step if job.snapshots else 0


def _learn(state: State, entry: Entry, segment: Segment | None, fact: PassageFact) -> None:
    """Let the cost model see what was measured; *segment* is that of the job before the fact."""
    match fact:
        case SegmentFrozen():
            state.costs.learn_freeze(entry.kinds, fact.job, fact.freeze_ms, fact.snapshot.bytes)
            if entry.spec.freeze is FreezeMethod.AUTO:
                state.costs.learn_method(entry.kinds, method_of(fact.snapshot), fact.freeze_ms, fact.snapshot.bytes)
        case JobDone(ended_at=ended_at) if segment is not None and segment.since is not None:
            state.costs.learn_run(entry.kinds, Millis(max(ended_at - segment.since, 0)))
        case _:
            pass


def _note_move(state: State, job: Job) -> None:
    """Keep at hand who waits in line to be moved."""
    if job.move is not None and isinstance(job.state, Queued):
        state.moving[job.id] = None
    else:
        state.moving.pop(job.id, None)


def _touch(state: State, entry: Entry, job: Job) -> None:
    """Count the job out of the entry's rest, as which it stood in line until now."""
    entry.touch(entry.ordinal_of(index_of(job.id)))
    entry.open[job.id] = None
    state.queue.take(entry.id, None, 1)


def _stand_anew(state: State, entry: Entry, job: Job) -> None:
    """Put a job that waits into the line of what it goes on from now."""
    if isinstance(job.state, Queued):
        state.queue.take(entry.id, job.id)
        stand_alone(state, entry, job)


def _keep_books(state: State, entry: Entry, before: Job, after: Job) -> None:
    """Let queue, allocations and entries know that the job has begun or ended a segment, or has none."""
    was, now = before.segment, after.segment
    if was is not None:
        _free(state, entry, before, was)
    elif now is not None:
        state.queue.take(entry.id, after.id)
        _occupy(state, entry, after, now)
    else:
        state.queue.take(entry.id, after.id)
    match after.state:
        case Queued():
            stand_alone(state, entry, after)
        case Delayed(until=until):
            heappush(state.alarms, (until, Alarm.DELAY, after.id))
        case Done() | Failed() | Cancelled():
            _close(state, entry, after)
        case _:
            pass


def _occupy(state: State, entry: Entry, job: Job, segment: Segment) -> None:
    allocation = state.allocations[segment.allocation]
    allocation.guests[job.id] = None
    allocation.idle_since = None
    if segment.is_ahead:
        allocation.ahead[job.id] = None
    else:
        _hold(state, allocation, segment.resources)
    state.agenda.moved[segment.node] = None
    entry.active += 1
    if entry.room_for() == 0:
        leave_line(state, entry)
    if entry.spec.max_run_ms is not None:
        end = Millis(segment.bound_at + entry.spec.max_run_ms - job.run_ms)
        heappush(state.alarms, (end, Alarm.MAX_RUN, job.id))


def _free(state: State, entry: Entry, job: Job, segment: Segment) -> None:
    entry.active -= 1
    if entry.room_for() == 1:
        stand_in_line(state, entry)
    state.agenda.moved[segment.node] = None
    allocation = state.allocations[segment.allocation]
    allocation.failed_launches = 0 if segment.since is not None else allocation.failed_launches
    del allocation.guests[job.id]
    if job.id in allocation.ahead:
        del allocation.ahead[job.id]
    else:
        allocation.used = allocation.used - segment.resources
    _promote(state, allocation)
    offer_room(state, allocation)


def _hold(state: State, allocation: Allocation, resources: Resources) -> None:
    allocation.used = allocation.used + resources
    if allocation.is_full:
        state.roomy.pop(allocation.id, None)


def _promote(state: State, allocation: Allocation) -> None:
    """Give room to those that wait for it; the agent does the same by itself, in the same order."""
    while allocation.ahead:
        first = next(iter(allocation.ahead))
        segment = state.jobs[first].segment
        assert segment is not None  # guests are active
        if not segment.resources.fits_in(allocation.room):
            return
        del allocation.ahead[first]
        _hold(state, allocation, segment.resources)


def _close(state: State, entry: Entry, job: Job) -> None:
    entry.open.pop(job.id, None)
    match job.state:
        case Done():
            entry.done += 1
        case Failed():
            entry.failed += 1
        case _:
            entry.cancelled += 1
    note_if_over(state, entry)
