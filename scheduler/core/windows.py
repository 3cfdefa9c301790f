"""Windows that wait in the site's queue: each is given back as soon as it could not begin any more without reaching into a main job."""

from collections.abc import Iterable, Iterator

from idleq.ids import AllocationId
from idleq.scheduler.core.accept_cluster import give_back
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.state import Alarm, Allocation, Hold, State


def give_back_vain(draft: Draft, due: Iterable[tuple[Alarm, str]]) -> None:
    """Give back the windows whose gap is no longer as it was when they were asked for, and those that have waited too long."""
    state = draft.state
    for allocation in list(_on_moved_nodes(state)):
        if not _fits(state, allocation):
            give_back(draft, allocation, "the plan has moved, and the window does not fit any more")
    for alarm, name in due:
        waiting = state.allocations.get(AllocationId(name)) if alarm is Alarm.WINDOW else None
        if waiting is not None and waiting.hold is Hold.ASKED:
            give_back(draft, waiting, "the window has not begun in time")


def _on_moved_nodes(state: State) -> Iterator[Allocation]:
    """Yield the windows that wait for a node whose gap has changed."""
    for name in state.asked:
        allocation = state.allocations[name]
        if allocation.mode is Mode.WINDOW and allocation.node in state.agenda.moved:
            yield allocation


def _fits(state: State, allocation: Allocation) -> bool:
    """Whether the gap still holds all of the window; ends that differ by less than the margin are the same."""
    node = state.nodes.get(allocation.node) if allocation.node is not None else None
    if node is None or node.gap is None or not allocation.resources.fits_in(node.gap.free):
        return False
    end, needed = node.gap.end.likely, allocation.ends_by
    return end is None or needed is None or end + state.policy.margin_ms >= needed
