"""What people want of single jobs that run or wait, and whether it can be."""

from itertools import islice
from typing import Literal

from msgspec import structs

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.accept_people import freeze, targets
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.entry import Entry
from idleq.scheduler.core.job import Freezing, Held, Job, Queued, Running, Segment, Starting
from idleq.scheduler.core.prospects import MOST_NAMED, hosts_besides, prospect
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.core.wishes import FreezeWished, Move, MoveWished


def freeze_wished(draft: Draft, what: FreezeWished) -> None:
    """Freeze what runs of *target* until its release; refuse if nothing of it runs, or if its work would be lost by it.

    Told again, it is as it was: what is frozen and held already, or about to be, stays so.
    """
    jobs = targets(draft, what.target)
    if jobs is None:
        return
    running = [job for job in jobs if isinstance(job.state, Starting | Running | Freezing)]
    if not running and not any(isinstance(job.state, Held) for job in jobs):
        message = f"job {what.target} does not run, so there is nothing to freeze; `idleq hold {what.target}` keeps it from being started"
        draft.refuse("conflict", message)
    elif running and not _can_be_frozen(draft, running[0]):
        message = f"job {what.target} cannot be frozen: it would lose what it has done; `idleq hold {what.target}` ends its segment all the same"
        draft.refuse("conflict", message)
    else:
        for job in running:
            _freeze_until_released(draft, job, what.reason)


def _freeze_until_released(draft: Draft, job: Job, reason: str) -> None:
    match job.state:
        case Starting(segment=segment) | Running(segment=segment):
            freeze(draft, job.id, segment, reason, hold=True, is_wish=True)
        case Freezing(segment=segment, hold=False, is_wish=is_wish):
            freeze(draft, job.id, segment, reason, hold=True, is_wish=is_wish)
        case _:
            pass


def _can_be_frozen(draft: Draft, job: Job) -> bool:
    return draft.state.entries[job.entry].spec.freeze is not FreezeMethod.NONE


def move_wished(draft: Draft, what: MoveWished) -> None:
    """Freeze the one job of *target* that runs, to be thawed elsewhere; refuse if it could go on nowhere else now.

    Told again, it is as it was; with another node, it goes to that one instead.
    """
    jobs = targets(draft, what.target)
    if jobs is None:
        return
    running = [job for job in jobs if isinstance(job.state, Starting | Running | Freezing)]
    if len(running) > 1:
        names = ", ".join(job.id for job in running[:MOST_NAMED])
        message = f"{len(running)} tasks of array {what.target} run ({names}{', ...' if len(running) > MOST_NAMED else ''}); name the one to move"
        draft.refuse("conflict", message)
    elif running:
        _move(draft, running[0], what.to)
    elif not any(isinstance(job.state, Queued) and job.move is not None and job.move.to == what.to for job in jobs):
        draft.refuse(
            "conflict", f"job {what.target} does not run, so there is nothing to move: it goes on wherever it fits"
        )


def _move(draft: Draft, job: Job, to: NodeName | None) -> None:
    segment, entry = job.segment, draft.state.entries[job.entry]
    assert segment is not None  # it runs
    if isinstance(job.state, Freezing) and job.move is not None and job.move.to == to:
        return
    if kind_and_message := _against_moving(draft, entry, job, segment, to):
        draft.refuse(*kind_and_message)
        return
    typical, now = draft.state.typical(entry, job), draft.now
    until = Millis(now + typical.longest_freeze_ms + draft.state.policy.patience_ms)
    reason = f"moved to {to}" if to is not None else f"moved off {segment.node}"
    is_wish = not isinstance(job.state, Freezing) or job.state.is_wish
    move = Move(segment.node, to, until)
    freeze(draft, job.id, segment, reason, hold=False, is_wish=is_wish, move=move)


def _against_moving(
    draft: Draft, entry: Entry, job: Job, segment: Segment, to: NodeName | None
) -> tuple[Literal["unknown", "conflict"], str] | None:
    """Return how to refuse a move, None if there is no reason to: one in vain would cost a freeze and a thaw."""
    state = draft.state
    if isinstance(job.state, Freezing) and job.state.hold:
        return (
            "conflict",
            f"job {job.id} is being frozen until its release; `idleq release {job.id}` lets it go on elsewhere",
        )
    if entry.spec.freeze is FreezeMethod.NONE:
        return "conflict", f"job {job.id} cannot be frozen, so it cannot be moved: it would lose what it has done"
    if state.is_paused:
        return "conflict", f"idleq is paused, so job {job.id} would start nowhere; `idleq resume` lets jobs start"
    if to is None:
        return _without_a_host(draft, entry, job, segment.node)
    if to not in state.nodes:
        return "unknown", f"there is no node {to}; `idleq nodes` lists them"
    if to == segment.node:
        return "conflict", f"job {job.id} runs on {to} already"
    found = prospect(state, entry, structs.replace(job, move=None), to, draft.now)
    return None if found.is_possible else ("conflict", f"{to} cannot host job {job.id} now: {found.because}")


def _without_a_host(draft: Draft, entry: Entry, job: Job, off: NodeName) -> tuple[Literal["conflict"], str] | None:
    state, free = draft.state, structs.replace(job, move=None)
    if next(hosts_besides(state, entry, free, off, draft.now), None) is not None:
        return None
    others = (name for name in sorted(state.nodes) if name != off)
    found = [prospect(state, entry, free, name, draft.now) for name in islice(others, MOST_NAMED)]
    said = "".join(f"; {one.node}: {one.because}" for one in found if not one.is_possible)
    return "conflict", f"no other node can host job {job.id} now{said}"
