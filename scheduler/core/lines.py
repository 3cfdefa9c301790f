"""Who of an entry stands in the queue: its never-started rest as one candidate, its requeued jobs one by one."""

from idleq.ids import Millis, index_of
from idleq.scheduler.core.abilities import needs_of
from idleq.scheduler.core.entry import Entry, Rest
from idleq.scheduler.core.job import Job, Queued
from idleq.scheduler.core.queue import UNTOUCHED, Candidate, Like, Place, Shape
from idleq.scheduler.core.state import State


def stand_in_line(state: State, entry: Entry) -> None:
    """Put everything of *entry* that may start in line, unless the array has as many running as it may."""
    room = entry.room_for()
    if room is not None and room <= 0:
        return
    if entry.rest is Rest.QUEUED and entry.left > 0:
        state.queue.take(entry.id, None)
        candidate = Candidate(_place(state, entry, UNTOUCHED), entry.id, None, _like(entry, None))
        state.queue.add(_shape(entry, None), candidate, entry.left)
        _note_growth(state, entry)
    for job in entry.open:
        if isinstance(state.jobs[job].state, Queued):
            _stand(state, entry, state.jobs[job])


def stand_alone(state: State, entry: Entry, job: Job) -> None:
    """Put the requeued *job* in line, unless its array has as many running as it may."""
    room = entry.room_for()
    if room is None or room > 0:
        _stand(state, entry, job)


def leave_line(state: State, entry: Entry) -> None:
    """Take everything of *entry* out of line."""
    state.queue.take(entry.id, None)
    if entry.submission.array is not None and entry.submission.array.limit is not None:
        for job in entry.open:
            state.queue.take(entry.id, job)


def _stand(state: State, entry: Entry, job: Job) -> None:
    if (entry.id, job.id) in state.queue.shapes:
        return  # it came back together with the others of an array that had as many running as it may
    candidate = Candidate(_place(state, entry, entry.ordinal_of(index_of(job.id))), entry.id, job.id, _like(entry, job))
    state.queue.add(_shape(entry, job), candidate, 1)
    _note_growth(state, entry)


def _shape(entry: Entry, job: Job | None) -> Shape:
    bound_to = job.snapshots[-1].bound_to if job is not None and job.snapshots else None
    move = None if job is None else job.move
    return Shape.of(entry.spec, entry.user, bound_to, needs_of(entry.spec, job), move)


def _like(entry: Entry, job: Job | None) -> Like:
    expected_ms = entry.spec.expected_ms
    if job is None:
        return Like(entry.kinds, expected_ms, None)
    left_ms = None if expected_ms is None else Millis(max(expected_ms - job.run_ms, 0))
    return Like(entry.kinds, left_ms, job.bytes)


def _note_growth(state: State, entry: Entry) -> None:
    state.agenda.grown[entry.spec.resources] = None
    state.agenda.demand = True


def _place(state: State, entry: Entry, ordinal: int) -> Place:
    standing = Millis(entry.queued_since - entry.spec.priority * state.policy.patience_ms)
    return Place(standing, entry.id, ordinal)
