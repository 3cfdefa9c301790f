"""Jobs that wait in line to be moved: where they may go on becomes wider as soon as nothing that will do can host them."""

from msgspec import structs

from idleq.ids import Millis
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.entry import Entry
from idleq.scheduler.core.facts import MoveEased
from idleq.scheduler.core.job import Job
from idleq.scheduler.core.prospects import hosts_besides, prospect
from idleq.scheduler.core.state import State
from idleq.scheduler.core.wishes import Move


def ease(draft: Draft) -> None:
    """Let each of them go on on more nodes than before where it would wait in vain: no move keeps a job from ever going on."""
    state = draft.state
    for name in list(state.moving):
        job = state.jobs[name]
        assert job.move is not None  # or it would not be among them
        move = _possible(state, state.entries[job.entry], job, job.move, draft.now)
        if move != job.move:
            draft.record(MoveEased(job=name, move=move))


def _possible(state: State, entry: Entry, job: Job, move: Move, now: Millis) -> Move | None:
    """Return what of *move* can come true now, None if nothing."""
    if now >= move.until:
        return None
    if move.to is not None and move.to in state.nodes and prospect(state, entry, job, move.to, now).is_possible:
        return move
    off_only = structs.replace(move, to=None)
    free = structs.replace(job, move=off_only)
    return off_only if next(hosts_besides(state, entry, free, move.off, now), None) is not None else None
