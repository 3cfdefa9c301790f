"""Why a job is where it is: in sentences, from the same functions that decide."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from idleq.ids import JobId, Millis
from idleq.scheduler.core.entry import Entry
from idleq.scheduler.core.job import (
    Cancelled,
    Delayed,
    Done,
    Failed,
    Freezing,
    Held,
    Job,
    Killing,
    Queued,
    Running,
    Segment,
    Starting,
    Waiting,
)
from idleq.scheduler.core.methods import ENOUGH, Cost
from idleq.scheduler.core.prospects import Prospect, prospect, span
from idleq.scheduler.core.queries import counted_as
from idleq.scheduler.core.remarks import never_begins
from idleq.scheduler.core.state import Hold, State
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.core.wishes import Move

NODES_NAMED = 20
"""Nodes that are gone through one by one; more would not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a job is where it is.

    Attributes:
        job: which.
        state: the state's name.
        sentences: the reasons, most important first.
        ahead: how many in the queue have a better standing; None if it is not in the queue.
        level: its priority with what waiting has added.
        nodes: what each node holds for it (some, for large clusters); empty if it needs none.
    """

    job: JobId
    state: str
    sentences: tuple[str, ...]
    ahead: int | None
    level: int
    nodes: tuple[Prospect, ...]


def explain(state: State, name: JobId, now: Millis) -> Explanation | None:
    """Return why the job *name* is where it is, None if there is no such job."""
    job = state.job(name)
    if job is None:
        return None
    entry = state.entries[job.entry]
    is_queued = isinstance(job.state, Queued)
    is_touched = job.id in state.jobs
    ahead = state.queue.ahead_of(entry.id, job.id if is_touched else None) if is_queued else None
    standing = entry.queued_since - entry.spec.priority * state.policy.patience_ms
    return Explanation(
        job=name,
        state=counted_as(job),
        sentences=tuple(_sentences(state, entry, job, now)),
        ahead=ahead,
        level=(now - standing) // state.policy.patience_ms,
        nodes=tuple(_prospects(state, entry, job, now)) if is_queued else (),
    )


def _sentences(state: State, entry: Entry, job: Job, now: Millis) -> Iterator[str]:
    match job.state:
        case Waiting():
            open_ones = [str(other) for other in entry.submission.after if not state.entries[other].is_over]
            yield f"It waits for {', '.join(open_ones)} to be done."
        case Held(reason=reason):
            yield f"It is held: {reason}. `idleq release {job.id}` lets it go."
        case Delayed(until=until, reason=reason):
            yield f"It is tried again in {span(until - now)}. Its last segment ended so: {reason}."
        case Queued():
            if job.move is not None:
                yield _on_its_way(job.move)
            if problem := never_begins(state, entry.spec):
                yield f"It {problem}."
            yield from _why_not_started(state, entry, now)
        case Starting(segment=segment):
            yield f"It is being started on {segment.node} (segment {segment.fence})."
        case Running(segment=segment):
            yield from _while_running(state, entry, job, segment, now)
        case Freezing(segment=segment, reason=reason):
            yield f"It is being frozen on {segment.node}: {reason}."
        case Killing(segment=segment, reason=reason):
            yield f"It is being ended on {segment.node}: {reason}."
        case Done(fence=fence):
            yield f"The result of segment {fence} was accepted."
        case Failed(reason=reason) | Cancelled(reason=reason):
            yield f"It is over: {reason}."
        case _:
            assert_never(job.state)
    if entry.spec.freeze is FreezeMethod.AUTO and not job.is_final:
        yield _which_way(state, entry)
    if entry.spec.freeze is FreezeMethod.NONE and job.stalled and not job.is_final:
        yield from _what_it_lost(state, entry, job)
    if job.dropped and not job.is_final:
        yield f"{job.dropped[0].upper()}{job.dropped[1:]}."
    if job.snapshots and not job.is_final:
        yield f"It has {span(job.run_ms)} of work in {_counted(len(job.snapshots), 'snapshot')} and goes on from the newest."


def _while_running(state: State, entry: Entry, job: Job, segment: Segment, now: Millis) -> Iterator[str]:
    yield f"It runs on {segment.node} (segment {segment.fence})."
    if segment.trouble:
        yield f"It was to be frozen and could not be, so it runs on: {segment.trouble}."
    plan = segment.plan
    if plan.ends_at is None:
        yield "No end of its gap is known."
    else:
        allocation = state.allocations[segment.allocation]
        until, turn = allocation.until, allocation.transfer
        what = "our allocation there" if until is not None and until <= plan.ends_at else "the gap"
        ends = f"{what} ends in {span(plan.ends_at - now)}"
        if plan.freeze_at is None:
            yield f"It cannot be frozen: if it is not done when {ends}, it begins anew."
        else:
            yield f"It will be frozen in {span(plan.freeze_at - now)}, before {ends}."
            if turn is not None and turn.until < turn.due and state.policy.shared_bandwidth:
                yield f"That is {span(turn.due - turn.until)} early: guests of other nodes write to the shared file system after it."
            yield _reckoned(state, entry, job)
    if plan.save_every_ms is not None:
        yield f"It saves every {span(plan.save_every_ms)}, since the node may be taken with less notice than a freeze needs."


def _reckoned(state: State, entry: Entry, job: Job) -> str:
    typical = state.typical(entry, job)
    if job.bytes is not None:
        of = ", for what its newest snapshot weighs"
    else:
        of = ", for the size that 95 % of them keep within" if typical.bytes else ""
    return f"Its freeze is reckoned to take {span(typical.freeze_ms)}, {state.basis(entry, job)}{of}."


def _what_it_lost(state: State, entry: Entry, job: Job) -> Iterator[str]:
    runs = "its last run" if job.stalled == 1 else f"its last {job.stalled} runs"
    yield f"It cannot be frozen, and what it did in {runs} is lost; after {state.policy.stall_segments} such runs it is held."
    if entry.spec.expected_ms is None:
        yield f"`idleq modify {entry.id} --expected DURATION` has gaps chosen for it that are long enough."


def _which_way(state: State, entry: Entry) -> str:
    choice = state.costs.choice(entry.kinds)
    if choice.preferred is None:
        return (
            "It is frozen by criu where the node can, else by the program itself (app) if it listens: to compare the two, "
            f"{ENOUGH} freezes of its kind by each are needed, and there were {choice.criu.freezes} and {choice.app.freezes}."
        )
    costs = {FreezeMethod.CRIU: choice.criu, FreezeMethod.APP: choice.app}
    better = costs.pop(choice.preferred)
    ((other, worse),) = costs.items()
    return (
        f"It is frozen by {choice.preferred} where that works, since freezes of its kind by {choice.preferred} "
        f"took {_cost(better)}, by {other} {_cost(worse)}."
    )


def _cost(cost: Cost) -> str:
    return f"{span(cost.freeze_ms)} and {cost.bytes / 1e6:.1f} MB (middle of {cost.freezes})"


def _on_its_way(move: Move) -> str:
    if move.to is not None:
        return f"It is moved from {move.off} to {move.to}, and goes elsewhere only if {move.to} cannot host it."
    return f"It is moved off {move.off}, and goes on there only if no other node can host it."


def _why_not_started(state: State, entry: Entry, now: Millis) -> Iterator[str]:
    if state.is_paused:
        yield f"idleq is paused: {state.pause_reason or 'no reason was given'}. `idleq resume` lets jobs start."
    if state.slowed_until > now:
        wait = span(state.slowed_until - now)
        yield f"No allocation is asked for during the next {wait}: {state.slowed_reason}."
    if entry.room_for() == 0:
        yield f"Its array has as many tasks running as it may ({entry.active})."
    if not state.nodes:
        yield "Nothing is known of the cluster yet."
    waits = sum(a.hold in (Hold.ASKED, Hold.GRANTED) for a in state.allocations.values())
    if waits:
        yield f"idleq waits for {_counted(waits, 'allocation')}; jobs are given to what comes up."
    yield (
        "Whoever has the highest priority goes first (one more for each "
        f"{span(state.policy.patience_ms)} of waiting), then who makes most of the gap, then who has waited longest."
    )


def _prospects(state: State, entry: Entry, job: Job, now: Millis) -> Iterator[Prospect]:
    for name in sorted(state.nodes)[:NODES_NAMED]:
        yield prospect(state, entry, job, name, now)


def _counted(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"
