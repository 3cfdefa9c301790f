"""What follows by itself: dependencies that are met, delays that are over, jobs that have run long enough."""

from heapq import heappop, heappush
from typing import assert_never

from idleq.ids import AllocationId, EntryId, JobId, Millis
from idleq.scheduler.core.accept_cluster import release_again
from idleq.scheduler.core.accept_people import kill
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.entry import Entry
from idleq.scheduler.core.facts import EntryCancelled, EntryReady, JobLetGo, JobWithdrawn
from idleq.scheduler.core.job import Delayed, Freezing, Running, Starting, Waiting
from idleq.scheduler.core.state import Alarm, Hold, State

OF_ALLOCATIONS = (Alarm.LINGER, Alarm.WINDOW, Alarm.SHORT, Alarm.RELEASE)


def next_alarm(state: State) -> Millis | None:
    """Return when the next alarm rings that may matter; those that cannot are taken off the list."""
    alarms = state.alarms
    while alarms and _is_vain(state, alarms[0][1], alarms[0][2]):
        heappop(alarms)
    return alarms[0][0] if alarms else None


def _is_vain(state: State, alarm: Alarm, name: str) -> bool:
    """Whether it is about an allocation that is over, or that hosts somebody: once it hosts nobody again, it has an alarm for that."""
    if alarm not in OF_ALLOCATIONS:
        return False
    allocation = state.allocations.get(AllocationId(name))
    return allocation is None or (alarm is Alarm.LINGER and allocation.idle_since is None)


def ring(draft: Draft) -> list[tuple[Alarm, str]]:
    """Take the alarms that are due off the list and do what they are for; return them."""
    state = draft.state
    due: list[tuple[Alarm, str]] = []
    while state.alarms and state.alarms[0][0] <= draft.now:
        _, alarm, name = heappop(state.alarms)
        due.append((alarm, name))
    for alarm, name in due:
        match alarm:
            case Alarm.DELAY:
                _end_delay(draft, JobId(name))
            case Alarm.MAX_RUN:
                _end_run(draft, JobId(name))
            case Alarm.SLOW:
                state.agenda.demand = True
            case Alarm.RELEASE:
                allocation = state.allocations.get(AllocationId(name))
                if allocation is not None and allocation.hold is Hold.RELEASED:
                    release_again(draft, allocation)
            case Alarm.LINGER | Alarm.WINDOW | Alarm.SHORT | Alarm.MOVE:
                pass  # that is for the caller
            case _:
                assert_never(alarm)
    return due


def _end_delay(draft: Draft, name: JobId) -> None:
    match draft.state.jobs[name].state:
        case Delayed(until=until) if until <= draft.now:
            draft.record(JobLetGo(job=name))
        case _:
            pass


def _end_run(draft: Draft, name: JobId) -> None:
    job = draft.state.jobs[name]
    longest = draft.state.entries[job.entry].spec.max_run_ms
    match job.state:
        case Starting(segment=segment) | Running(segment=segment) | Freezing(segment=segment) if longest is not None:
            began = segment.bound_at if segment.since is None else segment.since
            end = Millis(began + longest - segment.first_run_ms)
            if end <= draft.now:
                kill(draft, name, segment, f"it ran longer than its maximum of {longest / 1000:g} s", withdraw=False)
            else:
                heappush(draft.state.alarms, (end, Alarm.MAX_RUN, name))
        case _:
            pass


def settle(draft: Draft) -> None:
    """Let those go that waited for entries that are done; cancel those whose wait is in vain."""
    state = draft.state
    while state.agenda.finished:
        finished = next(iter(state.agenda.finished))
        del state.agenda.finished[finished]
        for dependent in list(state.dependents.get(finished, ())):
            _look_at(draft, state.entries[dependent])


def _look_at(draft: Draft, entry: Entry) -> None:
    state = draft.state
    if entry.is_ready:
        return
    awaited = [state.entries[name] for name in entry.submission.after]
    in_vain = next((other for other in awaited if other.has_failed), None)
    if in_vain is not None:
        _give_up(draft, entry, in_vain.id)
    elif all(other.is_over for other in awaited):
        draft.record(EntryReady(entry=entry.id))
        for job in list(entry.open):
            if isinstance(state.jobs[job].state, Waiting):
                draft.record(JobLetGo(job=job))


def _give_up(draft: Draft, entry: Entry, failed: EntryId) -> None:
    reason = f"job {failed}, which it waited for, was not done"
    for job in list(entry.open):
        draft.record(JobWithdrawn(job=job, reason=reason))
    if entry.left:
        draft.record(EntryCancelled(entry=entry.id, reason=reason))
