"""What facts about a segment that goes on make of the state: most facts there are, and none changes who holds what."""

from heapq import heappush
from typing import assert_never

from msgspec.structs import replace

from idleq.ids import Millis
from idleq.scheduler.core.apply_cluster import count_open
from idleq.scheduler.core.facts import (
    FreezeAsked,
    FreezeGivenUp,
    KillAsked,
    PlanMoved,
    SegmentProgressed,
    SegmentRunning,
)
from idleq.scheduler.core.job import ACTIVE, Freezing, Job, JobState, Killing, Running, Segment, Starting
from idleq.scheduler.core.lifecycle import JobFact, check
from idleq.scheduler.core.state import Alarm, State


def apply_plan(state: State, _at: Millis, fact: PlanMoved) -> None:
    """Let the segment act by its new plan."""
    job, segment = _going_on(state, fact)
    following = _with_segment(job.state, replace(segment, plan=fact.plan, command=fact.command))
    check(job, fact, following)
    state.jobs[job.id] = job.in_state(following)


def apply_start(state: State, _at: Millis, fact: SegmentRunning) -> None:
    """Note since when the segment's process is up, and what its thaw took."""
    job, segment = _going_on(state, fact)
    now = replace(segment, since=fact.since)
    following = Running(now) if isinstance(job.state, Starting) else _with_segment(job.state, now)
    check(job, fact, following)
    state.jobs[job.id] = replace(job, state=following, misses=0)
    thawed = next((snapshot for snapshot in job.snapshots if snapshot.id == segment.thaw_from), None)
    if thawed is not None:
        state.costs.learn_thaw(state.entries[job.entry].kinds, fact.thaw_ms, thawed.bytes)


def apply_progress(state: State, at: Millis, fact: SegmentProgressed) -> None:
    """Note how far the job is, and what it has saved."""
    job, segment = _going_on(state, fact)
    step, saved = max(job.step, fact.step), fact.saved
    now = replace(segment, told_at=at, has_saved=segment.has_saved or saved is not None)
    following = _with_segment(job.state, now)
    check(job, fact, following)
    if saved is None:
        state.jobs[job.id] = replace(job, step=step, total=fact.total, state=following)
        return
    snapshots = (*job.snapshots, saved)[-state.policy.generations :]
    state.jobs[job.id] = replace(
        job, step=saved.step or step, total=fact.total, state=following, snapshots=snapshots, run_ms=saved.run_ms
    )
    if fact.save_ms is not None:
        state.costs.learn_save(state.entries[job.entry].kinds, job.id, fact.save_ms, saved.bytes)
    # The gap has grown older: that it is still open counts, and the next save may wait for longer.
    if (node := state.nodes.get(segment.node)) is not None:
        count_open(state, node, at)
    state.agenda.moved[segment.node] = None


def apply_wish(state: State, _at: Millis, fact: FreezeAsked | KillAsked) -> None:
    """Note that the segment shall end, and what the job is in then."""
    job, segment = _going_on(state, fact)
    now = replace(segment, command=fact.command)
    following: JobState
    match fact:
        case FreezeAsked(reason=reason, hold=hold, is_wish=is_wish):
            following = Freezing(now, reason, hold, is_wish)
        case KillAsked(reason=reason, withdraw=withdraw):
            following = Killing(now, reason, withdraw)
        case _:
            assert_never(fact)
    check(job, fact, following)
    move = fact.move if isinstance(fact, FreezeAsked) else None
    state.jobs[job.id] = replace(job, state=following, move=move)
    if move is not None:
        heappush(state.alarms, (move.until, Alarm.MOVE, job.id))


def apply_giving_up(state: State, _at: Millis, fact: FreezeGivenUp) -> None:
    """Let the segment go on, by a plan that is looked at again."""
    job, segment = _going_on(state, fact)
    following = Running(replace(segment, trouble=fact.reason))
    check(job, fact, following)
    state.jobs[job.id] = replace(job, state=following, move=None)
    state.agenda.moved[segment.node] = None


def _going_on(state: State, fact: JobFact) -> tuple[Job, Segment]:
    """Return the job that *fact* is about, and its segment: the table has these facts for active states only."""
    job = state.jobs[fact.job]
    assert isinstance(job.state, ACTIVE)
    return job, job.state.segment


def _with_segment(state: JobState, segment: Segment) -> JobState:
    """Return the active *state* with *segment* in place of its own."""
    assert isinstance(state, ACTIVE)
    match state:
        case Running():
            return Running(segment)
        case Starting():
            return Starting(segment)
        case Freezing(reason=reason, hold=hold, is_wish=is_wish):
            return Freezing(segment, reason, hold, is_wish)
        case Killing(reason=reason, withdraw=withdraw):
            return Killing(segment, reason, withdraw)
        case _:
            assert_never(state)
