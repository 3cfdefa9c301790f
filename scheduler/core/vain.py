"""What waits in the site's queue in vain is given back.

A window, as soon as it could not begin any more without reaching into a main job; an allocation that was cut for one node, once
that node has gone to others while nodes of another size are free; one that must be long, once the gap that it was asked for is not so
long any more: it would stand in the way of those that need less.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from idleq.ids import AllocationId, Millis
from idleq.scheduler.core.accept_cluster import give_back
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.state import FAR, Alarm, Allocation, Hold, State

LOOKED_AT = 16
"""Open gaps that are looked at for one of another size."""


def give_back_vain(draft: Draft, due: Iterable[tuple[Alarm, str]]) -> None:
    """Give back what was asked for a gap that is no longer as it was then, and windows that have waited too long."""
    state = draft.state
    for allocation in list(_concerned(state)) if state.asked else ():
        if (reason := _in_vain(state, allocation)) is not None:
            give_back(draft, allocation, reason)
    for alarm, name in due:
        waiting = state.allocations.get(AllocationId(name)) if alarm is Alarm.WINDOW else None
        if waiting is not None and waiting.hold is Hold.ASKED:
            give_back(draft, waiting, "the window has not begun in time")


def _concerned(state: State) -> Iterator[Allocation]:
    """Yield what waits for a gap that has changed, what waits for any while one has opened, and what waits for a long one."""
    moved, are_open = state.agenda.moved, state.open_gaps.ends
    has_opened = any(node in are_open for node in moved)
    for name in state.asked:
        allocation = state.allocations[name]
        is_near = (allocation.node or allocation.seen_on) in moved or (has_opened and allocation.node is None)
        if is_near or _must_be_long(state, allocation):
            yield allocation


def _in_vain(state: State, allocation: Allocation) -> str | None:
    """Return why *allocation* would wait for nothing, None if it does not."""
    if allocation.mode is Mode.WINDOW:
        return None if _fits(state, allocation) else "the plan has moved, and the window does not fit any more"
    if allocation.node is not None and not _fits(state, allocation):
        return f"{allocation.node}, which it needs, has gone to others"
    if _must_be_long(state, allocation) and _end_of_gap(state, allocation) < state.now + allocation.min_ms:
        return "the gap that it was asked for is not long enough for it any more"
    if allocation.node is not None:
        return None
    if allocation.seen_on in state.open_gaps.ends or not _unlike_are_open(state, allocation):
        return None
    return f"{allocation.seen_on}, which it was cut for, has gone to others, and other nodes are unlike it"


def _must_be_long(state: State, allocation: Allocation) -> bool:
    """Whether whom it was asked for makes nothing of a gap that is long enough for most."""
    return allocation.min_ms > state.policy.min_gap_ms


def _end_of_gap(state: State, allocation: Allocation) -> Millis:
    """Return when the gap ends that it was asked for; where that has gone to others, the last of those that it could have."""
    if allocation.node is None:
        open_gaps, seen_on = state.open_gaps, allocation.seen_on
        return open_gaps.latest_end if seen_on is None else open_gaps.ends.get(seen_on, open_gaps.latest_end)
    gap = state.nodes[allocation.node].gap
    return FAR if gap is None or gap.end.likely is None else gap.end.likely


def _unlike_are_open(state: State, allocation: Allocation) -> bool:
    """Whether a node is free that main jobs leave more or less of than the allocation was cut for: then the site is told a node by name."""
    longest = islice(reversed(state.open_gaps.order), LOOKED_AT)
    gaps = (state.nodes[name].gap for _, name in longest)
    return any(gap.free != allocation.resources for gap in gaps if gap is not None)


def _fits(state: State, allocation: Allocation) -> bool:
    """Whether the gap still holds all of it, a window also in time; ends that differ by less than the margin are the same."""
    node = state.nodes.get(allocation.node) if allocation.node is not None else None
    if node is None or node.gap is None or not allocation.resources.fits_in(node.gap.free):
        return False
    end, needed = node.gap.end.likely, allocation.ends_by
    return end is None or needed is None or end + state.policy.margin_ms >= needed
