"""Why a job is where it is: in sentences, from the same functions that decide."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from idleq.ids import JobId, Millis, NodeName
from idleq.machines import obstacles
from idleq.scheduler.core.abilities import lacking
from idleq.scheduler.core.cause import in_words
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
from idleq.scheduler.core.placement import stretch
from idleq.scheduler.core.queries import counted_as
from idleq.scheduler.core.state import Hold, Node, State
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.core.timing import length_of

NODES_NAMED = 20
"""Nodes that are gone through one by one; more would not be read."""

MOST_NAMED = 3
"""Jobs that are named where they are in the way."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What one node holds for the job."""

    node: NodeName
    is_possible: bool
    because: str


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
        case Delayed(until=until):
            yield f"It is tried again in {_span(until - now)}."
        case Queued():
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
    if job.snapshots and not job.is_final:
        yield f"It has {_span(job.run_ms)} of work in {_counted(len(job.snapshots), 'snapshot')} and goes on from the newest."


def _while_running(state: State, entry: Entry, job: Job, segment: Segment, now: Millis) -> Iterator[str]:
    yield f"It runs on {segment.node} (segment {segment.fence})."
    plan = segment.plan
    if plan.freeze_at is not None and plan.ends_at is not None:
        yield f"It will be frozen in {_span(plan.freeze_at - now)}, before the gap ends in {_span(plan.ends_at - now)}."
        yield _reckoned(state, entry, job)
    else:
        yield "No end of its gap is known."
    if plan.save_every_ms is not None:
        yield f"It saves every {_span(plan.save_every_ms)}, since the node may be taken with less notice than a freeze needs."


def _reckoned(state: State, entry: Entry, job: Job) -> str:
    typical = state.typical(entry, job)
    if job.bytes is not None:
        of = ", for what its newest snapshot weighs"
    else:
        of = ", for the size that 95 % of them keep within" if typical.bytes else ""
    return f"Its freeze is reckoned to take {_span(typical.freeze_ms)}, {state.basis(entry, job)}{of}."


def _why_not_started(state: State, entry: Entry, now: Millis) -> Iterator[str]:
    if state.is_paused:
        yield f"idleq is paused: {state.pause_reason or 'no reason was given'}. `idleq resume` lets jobs start."
    if state.slowed_until > now:
        wait = _span(state.slowed_until - now)
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
        f"{_span(state.policy.patience_ms)} of waiting), then who makes most of the gap, then who has waited longest."
    )


def _prospects(state: State, entry: Entry, job: Job, now: Millis) -> Iterator[Prospect]:
    for name, node in sorted(state.nodes.items())[:NODES_NAMED]:
        is_possible, because = _prospect(state, entry, job, node, now)
        yield Prospect(name, is_possible, because)


def _listed(jobs: tuple[JobId, ...]) -> str:
    more = len(jobs) - MOST_NAMED
    return ", ".join(jobs[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _prospect(state: State, entry: Entry, job: Job, node: Node, now: Millis) -> tuple[bool, str]:
    need, report = entry.spec.resources, node.report
    if not report.is_up:
        return False, "it is down or drained" if report.cause is None else f"it is closed ({in_words(report.cause)})"
    if not need.fits_in(report.capacity):
        return False, "it is too small"
    if node.gap is None:
        return False, f"main jobs have it ({report.main_job})" if report.main_job else "main jobs have it"
    if node.abilities is not None and (lacks := next(lacking(node.abilities, entry.spec, job), "")):
        return False, lacks
    held = state.allocations.get(node.allocation) if node.allocation is not None else None
    if not need.fits_in(node.gap.free if held is None else held.room):
        others = () if held is None else tuple(held.guests)
        return False, f"our own jobs have it ({_listed(others)})" if others else "what is free of it is too small"
    bound_to = job.snapshots[-1].bound_to if job.snapshots else None
    if reasons := obstacles(bound_to, node.machine if held is None else held.machine):
        return False, f"its snapshot cannot be thawed there: {'; '.join(reasons)}"
    if held is not None:
        length = length_of(state, held, now)
    else:
        longest = state.policy.max_allocation_ms
        end = node.gap.end.likely
        length = longest if end is None else Millis(min(end - now, longest))
        if length < state.policy.min_gap_ms:
            return False, f"its gap of {_span(length)} is shorter than {_span(state.policy.min_gap_ms)}"
    worth = stretch(state, entry, job, length)
    if not worth.pays:
        short = f"its gap of {_span(length)} is too short for it"
        if entry.spec.freeze is FreezeMethod.NONE:
            return False, f"{short}, and it cannot be frozen"
        takes = f"thawing and freezing take {_span(worth.overhead_ms)}, {state.basis(entry, job)}"
        return False, f"{short}: {takes}"
    return True, f"its gap of {_span(length)} is long enough ({node.gap.end.source})"


def _counted(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _span(ms: int) -> str:
    """Return a duration for people: "4.2 s", "12 min 5 s", "3 h 20 min"."""
    seconds = max(ms, 0) // 1000
    minutes, hours = seconds // 60, seconds // 3600
    if not minutes:
        return f"{max(ms, 0) / 1000:.1f} s"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {seconds % 60} s"
