"""In which stretch the guests of each allocation write, where the file system that all nodes share bears only so much at once.

Whoever was told a stretch keeps it as long as its own node and guests stay as they are: nobody is told anew because others came or
went. Which those are is in the journal, so a restart plans around the same.

What a freeze takes besides its writing is known as the time that nearly all freezes keep, writing and waiting for others included. So it
is kept free at the end, behind the stretches of all, and not before each one's own: a guest that was thought to be slow, and is not, would
write while it is others' turn.
"""

from collections.abc import Iterable, Iterator

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.costs import Typical
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.entry import Entry
from idleq.scheduler.core.job import Job
from idleq.scheduler.core.placement import stretch
from idleq.scheduler.core.sitefacts import TransfersPlanned
from idleq.scheduler.core.state import Allocation, Hold, State
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.core.timing import WORTH_TELLING, end_of, savers_of, transfer_ms
from idleq.scheduler.core.transfers import Transfer, Wish, place


def stagger(draft: Draft, changed: Iterable[NodeName]) -> None:
    """Give what we hold of the nodes whose gap or guests have *changed* the stretches that it needs now."""
    state = draft.state
    if not state.policy.shared_bandwidth:
        return
    planned, wishes = state.transfers.copy(), []
    looked_at: list[Allocation] = []
    for allocation in _held(state, changed):
        wish = _wish(state, allocation)
        if allocation.transfer is not None:
            if wish is not None and _has_begun(allocation.transfer, wish, draft.now):
                continue
            planned.remove(allocation.transfer)
        looked_at.append(allocation)
        if wish is not None:
            wishes.append(wish)
    placed = place(planned, wishes, state.policy.writers, draft.now)
    news = tuple((one.id, after) for one in looked_at if (after := placed.get(one.id)) != one.transfer)
    if news:
        draft.record(TransfersPlanned(transfers=news))


def pays_in_its_turn(
    state: State, allocation: Allocation | None, end: Millis | None, entry: Entry, job: Job | None
) -> bool:
    """Whether the time until *job* of *entry* (None: a fresh one) would be frozen in *allocation* (None: a new one), which lasts until *end*, pays.

    Where others write until the end, it would be frozen long before: those who end before that are welcome all the same.
    """
    policy = state.policy
    if not policy.shared_bandwidth or end is None:
        return True
    length_ms = Millis(end - state.now)
    if entry.spec.freeze is FreezeMethod.NONE or stretch(state, entry, job, length_ms).ends_here:
        return True
    typical = state.typical(entry, job)
    due, takes_ms = Millis(end - policy.margin_ms - typical.freeze_ms), transfer_ms(policy, typical)
    planned = state.transfers
    if allocation is not None:
        takes_ms = Millis(takes_ms + _length_ms(state, savers_of(state, allocation).values()))
        if allocation.transfer is not None:
            planned = planned.copy()
            planned.remove(allocation.transfer)
    until = planned.latest(due, takes_ms, policy.writers)
    # It may be the first of those there that is asked.
    return stretch(state, entry, job, Millis(length_ms - (due - until) - takes_ms)).pays


def _held(state: State, names: Iterable[NodeName]) -> Iterator[Allocation]:
    """Yield what we hold of these nodes, but where guests are told to go anyway."""
    for name in names:
        node = state.nodes.get(name)
        if node is None or node.allocation is None or node.is_taken:
            continue
        allocation = state.allocations.get(node.allocation)
        if allocation is not None and allocation.hold is Hold.READY:
            yield allocation


def _wish(state: State, allocation: Allocation) -> Wish | None:
    """Return what its guests need; None if nobody knows when it ends, or nobody there has anything to write."""
    end = end_of(state, allocation)
    if end is None:
        return None
    savers = savers_of(state, allocation).values()
    length_ms = _length_ms(state, savers)
    if not length_ms:
        return None
    kept_free_ms = state.policy.margin_ms + max(typical.freeze_ms for typical in savers)
    return Wish(allocation.id, end, Millis(end - kept_free_ms), length_ms)


def _length_ms(state: State, savers: Iterable[Typical]) -> Millis:
    return Millis(sum(transfer_ms(state.policy, typical) for typical in savers))


def _has_begun(transfer: Transfer, wish: Wish, now: Millis) -> bool:
    """Whether the first of its guests is being frozen for an end that still holds: they write when they were to, whatever is free by now."""
    return transfer.until - wish.length_ms <= now and abs(wish.ends_at - transfer.ends_at) <= WORTH_TELLING
