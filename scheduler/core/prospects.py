"""What a node holds for a job: whether it could go on there now, and why not; for those who ask, and for moves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from idleq.ids import Millis, NodeName
from idleq.machines import obstacles
from idleq.scheduler.core.abilities import lacking
from idleq.scheduler.core.cause import in_words
from idleq.scheduler.core.entry import Entry
from idleq.scheduler.core.gaps import Gap
from idleq.scheduler.core.job import Job
from idleq.scheduler.core.placement import owner_of, stretch
from idleq.scheduler.core.staggering import pays_in_its_turn
from idleq.scheduler.core.state import Allocation, State
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.core.timing import end_of, length_in, length_of

MOST_NAMED = 3
"""Of jobs; more would not be read."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What one node holds for the job."""

    node: NodeName
    is_possible: bool
    because: str


def prospect(state: State, entry: Entry, job: Job, name: NodeName, now: Millis) -> Prospect:
    """Return what the node *name*, which is known, holds for *job* of *entry*."""
    return Prospect(name, *_because(state, entry, job, name, now))


def hosts_besides(state: State, entry: Entry, job: Job, but: NodeName, now: Millis) -> Iterator[NodeName]:
    """Yield the nodes other than *but* that could host *job* now: those in whose gaps we hold nothing, longest first, then those we hold."""
    open_ones = (name for _, name in reversed(state.open_gaps.order))
    held = (state.allocations[name].node for name in chain(state.roomy, state.coming))
    for name in chain(open_ones, held):
        if (
            name is not None
            and name != but
            and name in state.nodes
            and prospect(state, entry, job, name, now).is_possible
        ):
            yield name


def listed(names: Sequence[str]) -> str:
    """Return the first of *names*, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _because(state: State, entry: Entry, job: Job, name: NodeName, now: Millis) -> tuple[bool, str]:
    node = state.nodes[name]
    need, report = entry.spec.resources, node.report
    if not report.is_up:
        return False, "it is down or drained" if report.cause is None else f"it is closed ({in_words(report.cause)})"
    if not need.fits_in(report.capacity):
        return False, "it is too small"
    if node.gap is None:
        named = f" ({report.main_job})" if report.main_job else ""
        return False, f"main jobs have {'a part of it' if report.is_spared else 'it'}{named}"
    if node.abilities is not None and (lacks := next(lacking(node.abilities, entry.spec, job), "")):
        return False, lacks
    if job.move is not None and not job.move.allows(name):
        return (
            False,
            "it is being moved away from here" if name == job.move.off else f"it is being moved to {job.move.to}",
        )
    held = state.allocations.get(node.allocation) if node.allocation is not None else None
    if held is not None and owner_of(state, held) not in {"", entry.user}:
        return False, "what we hold of it is for another user's jobs"
    if not need.fits_in(node.gap.free if held is None else held.room):
        others = () if held is None else tuple(held.guests)
        return False, f"our own jobs have it ({listed(others)})" if others else "what is free of it is too small"
    bound_to = job.snapshots[-1].bound_to if job.snapshots else None
    if reasons := obstacles(bound_to, node.machine if held is None else held.machine):
        return False, f"its snapshot cannot be thawed there: {'; '.join(reasons)}"
    length, what = _room_in_time(state, node.gap, held, now)
    if held is None:
        length = length_in(state, node.gap, now)
        if length < state.policy.min_gap_ms:
            return False, f"{what} leaves an allocation of {span(length)}, less than {span(state.policy.min_gap_ms)}"
        length = state.policy.usable_ms(length)
    worth = stretch(state, entry, job, length)
    if not worth.pays:
        short = f"{what} is too short for it"
        if entry.spec.freeze is FreezeMethod.NONE:
            return False, f"{short}, and it cannot be frozen"
        takes = f"thawing and freezing take {span(worth.overhead_ms)}, {state.basis(entry, job)}"
        return False, f"{short}: {takes}"
    end = node.gap.end.likely if held is None else end_of(state, held)
    if not pays_in_its_turn(state, held, end, entry, job):
        return False, f"{what} is too short for it, as others write to the shared file system before it ends"
    return True, f"{what} is long enough ({node.gap.end.source})"


def _room_in_time(state: State, gap: Gap, held: Allocation | None, now: Millis) -> tuple[Millis, str]:
    """Return how long a job could stay, and what ends first: the gap, what we *held* of it, or what we would ask for."""
    end, longest = gap.end.likely, state.policy.max_allocation_ms
    if held is not None:
        length = length_of(state, held, now)
        if held.until is not None and (end is None or held.until < end):
            return length, f"what is left of our allocation there ({span(length)})"
    else:
        length = longest if end is None else Millis(min(end - now, longest))
    if end is None or end - now > length:
        return length, f"the longest allocation here ({span(length)}, by policy.max_allocation)"
    return length, f"its gap of {span(length)}"


def span(ms: int) -> str:
    """Return a duration for people: "4.2 s", "12 min 5 s", "3 h 20 min"."""
    seconds = max(ms, 0) // 1000
    minutes, hours = seconds // 60, seconds // 3600
    if not minutes:
        return f"{max(ms, 0) / 1000:.1f} s"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {seconds % 60} s"
