"""What facts about nodes and allocations make of the state."""

from collections.abc import Callable
from heapq import heappush
from operator import ne
from typing import Any

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.cause import CauseKind
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.gaps import Gap, Listed, end_of
from idleq.scheduler.core.hazard import FIRST_PLACES, PLACES, Outlook, place_of
from idleq.scheduler.core.inputs import NodeReport
from idleq.scheduler.core.sitefacts import (
    AgentArrived,
    AllocationAsked,
    AllocationClosing,
    AllocationEnded,
    AllocationFailed,
    AllocationReleased,
    AllocationStarted,
    GapClosed,
    MainJobHeldUp,
    NodesSeen,
    ReleaseDelayed,
    RequestsSlowed,
    TransfersPlanned,
)
from idleq.scheduler.core.state import Alarm, Allocation, Hold, Node, Offer, State
from idleq.scheduler.core.transfers import Transfer


def _slow(state: State, at: Millis, slowed: RequestsSlowed) -> None:
    if slowed.until > state.slowed_until:
        state.slowed_until, state.slowed_reason = slowed.until, slowed.reason
    if slowed.for_harm:
        state.harm.back_off(at, slowed.until)
    state.ramp = max(state.ramp // 2, 1)
    heappush(state.alarms, (slowed.until, Alarm.SLOW, ""))


def _learn(state: State, at: Millis, closed: GapClosed) -> None:
    """Remember how a gap closed."""
    node, policy = state.nodes[closed.node], state.policy
    count_open(state, node, at)
    is_early = closed.planned_end is not None and at < closed.planned_end - policy.margin_ms
    named_at = Millis(at - closed.warned_ms)
    if closed.first_end is not None:
        state.foresight.record.learn(closed.cause or CauseKind.JOB, named_at, closed.first_end, at)
    state.foresight.learn(
        Outlook(closed.opened_at, closed.planned_end, node.place),
        at,
        is_surprise=is_early or closed.warned_ms < policy.freeze_ms + policy.margin_ms,
    )


def count_open(state: State, node: Node, at: Millis) -> None:
    """Count that the node's gap, if it has one, has stayed open until now."""
    if node.gap is not None and node.counted_until < at:
        state.foresight.hazard.expose(node.outlook(node.gap), node.counted_until, at)
    node.counted_until = at


_PLACES_IN_ORDER = tuple(place_of(number) for number in range(FIRST_PLACES))


def _see_all(state: State, at: Millis, seen: NodesSeen) -> None:
    first = state.free_nodes.first()
    for report in seen.deltas:
        _see(state, at, report)
    for name in seen.gone:
        state.open_gaps.drop(name)
        node = state.nodes.pop(name, None)
        if node is not None and node.gap is not None:
            state.free_nodes.drop(name)
    now_first = state.free_nodes.first()
    if first != now_first:
        _move_up(state, at, first, now_first)


def _move_up(state: State, at: Millis, before: Listed, now: Listed) -> None:
    """Give the nodes their places again after some have opened or closed; who stands elsewhere now may save more or less often."""
    # Those before the first that is another stand where they stood.
    differ = list(map(ne, before, now))
    same = differ.index(True) if True in differ else len(differ)
    places = dict.fromkeys([name for _, name in before[same:]], PLACES - 1)
    places.update(zip([name for _, name in now[same:]], _PLACES_IN_ORDER[same:], strict=False))
    nodes = state.nodes
    for name, place in places.items():
        node = nodes.get(name)
        if node is not None and node.place != place and node.gap is not None:
            count_open(state, node, at)
            node.place = place
            state.agenda.moved[name] = None


def _see(state: State, at: Millis, report: NodeReport) -> None:
    node = state.nodes.get(report.name)
    if node is None:
        node = state.nodes[report.name] = Node(report, allocation=_held_on(state, report.name))
    count_open(state, node, at)
    if report.cause is not node.report.cause and _kind(report) is not _kind(node.report):
        node.planned_since = None  # how plans of one kind come true says nothing of another
    before, node.report = node.gap, report
    if not report.is_up or report.is_taken:
        node.gap = None
    else:
        is_same = before is not None and before.free.cores <= report.free.cores
        since = before.since if before is not None and is_same else at
        node.gap = Gap(node=report.name, free=report.free, since=since, end=end_of(report))
        node.planned_since = None if not is_same else node.planned_since
    if (before is None) is not (node.gap is None):
        _open_or_close(state, node)
    if report.planned_start is None:
        node.planned_since = None
    elif node.planned_since is None:
        node.planned_since, node.first_end = at, report.planned_start
    state.agenda.moved[report.name] = None
    if node.allocation is not None and _lasts_longer(before, node.gap):
        state.agenda.rooms[node.allocation] = None
    index_gap(state, report.name)


def _kind(report: NodeReport) -> CauseKind | None:
    return None if report.cause is None else report.cause.kind


def _open_or_close(state: State, node: Node) -> None:
    if node.gap is None:
        state.free_nodes.drop(node.report.name)
    else:
        state.free_nodes.add(node.report.name)
        node.place = PLACES - 1


def _lasts_longer(before: Gap | None, now: Gap | None) -> bool:
    """Whether jobs that did not pay in the gap may do so now."""
    if before is None or now is None or before.end.likely is None:
        return False
    return now.end.likely is None or now.end.likely > before.end.likely


def _held_on(state: State, name: NodeName) -> AllocationId | None:
    return next((allocation.id for allocation in state.allocations.values() if allocation.node == name), None)


def index_gap(state: State, name: NodeName) -> None:
    """Let requests see the node's gap, if it has one in which we hold nothing."""
    node = state.nodes[name]
    if node.gap is None or node.allocation is not None:
        state.open_gaps.drop(name)
        return
    state.open_gaps.put(name, node.gap.end.likely, Offer(node.gap.free, node.abilities, node.machine))
    state.agenda.demand = True


def _ask(state: State, at: Millis, fact: AllocationAsked) -> None:
    state.allocations[fact.allocation] = Allocation(
        id=fact.allocation,
        hold=Hold.ASKED,
        mode=fact.mode,
        command=fact.command,
        node=fact.node,
        resources=fact.resources,
        min_ms=fact.min_ms,
        max_ms=fact.max_ms,
        ends_by=_ends_by(at, fact),
        seen_on=fact.seen_on,
        user=fact.user,
    )
    state.asked[fact.allocation] = state.coming[fact.allocation] = None
    state.next_allocation += 1
    if fact.node is not None:
        _settle_on(state, fact.allocation, fact.node)
    if fact.mode is Mode.WINDOW:
        heappush(state.alarms, (Millis(at + state.policy.window_wait_ms), Alarm.WINDOW, fact.allocation))
    elif fact.seen_on is not None and fact.min_ms > state.policy.min_gap_ms:
        gap = state.nodes[fact.seen_on].gap
        if gap is not None and gap.end.likely is not None:
            heappush(state.alarms, (Millis(gap.end.likely - fact.min_ms + 1), Alarm.SHORT, fact.allocation))


def _ends_by(at: Millis, fact: AllocationAsked) -> Millis | None:
    """Return when what is asked for is over, whenever it begins: in older journals windows do not say so."""
    if fact.ends_by is None and fact.mode is Mode.WINDOW:
        return Millis(at + fact.max_ms)
    return fact.ends_by


def _start(state: State, _at: Millis, fact: AllocationStarted) -> None:
    allocation = _moving(state, fact)
    state.asked.pop(allocation.id, None)
    allocation.hold, allocation.node = Hold.GRANTED, fact.node
    allocation.resources, allocation.until = fact.resources, fact.until
    _settle_on(state, allocation.id, fact.node)
    state.ramp = min(max(state.ramp * 3 // 2, state.ramp + 1), state.policy.max_pending)


def _welcome(state: State, _at: Millis, fact: AgentArrived) -> None:
    allocation = _moving(state, fact)
    state.coming.pop(allocation.id, None)
    allocation.hold, allocation.resources, allocation.until = Hold.READY, fact.resources, fact.until
    allocation.abilities, allocation.machine = frozenset(fact.abilities), fact.machine
    if (node := state.nodes.get(fact.node)) is not None:
        node.abilities, node.machine = allocation.abilities, fact.machine
    offer_room(state, allocation)


def _close(state: State, _at: Millis, fact: AllocationClosing) -> None:
    allocation = _moving(state, fact)
    state.coming.pop(allocation.id, None)
    allocation.hold = Hold.CLOSING
    state.roomy.pop(allocation.id, None)
    offer_room(state, allocation)


def _fail(state: State, _at: Millis, fact: AllocationFailed) -> None:
    allocation = _moving(state, fact)
    state.coming.pop(allocation.id, None)
    state.roomy.pop(allocation.id, None)
    allocation.has_failed = True
    if allocation.hold is not Hold.RELEASED:
        allocation.hold = Hold.CLOSING
        offer_room(state, allocation)


def _release(state: State, _at: Millis, fact: AllocationReleased) -> None:
    allocation = _moving(state, fact)
    state.coming.pop(allocation.id, None)
    allocation.hold, allocation.command = Hold.RELEASED, fact.command
    state.asked.pop(allocation.id, None)
    state.roomy.pop(allocation.id, None)


def _end(state: State, _at: Millis, fact: AllocationEnded) -> None:
    allocation = _moving(state, fact)
    _plan_transfer(state, allocation, None)
    del state.allocations[allocation.id]
    state.coming.pop(allocation.id, None)
    state.asked.pop(allocation.id, None)
    state.roomy.pop(allocation.id, None)
    node = state.nodes.get(allocation.node) if allocation.node is not None else None
    if node is not None and node.allocation == allocation.id:
        node.allocation = None
        index_gap(state, node.report.name)


def _moving(
    state: State,
    fact: AllocationStarted
    | AgentArrived
    | AllocationClosing
    | AllocationFailed
    | AllocationReleased
    | AllocationEnded,
) -> Allocation:
    """Return the allocation that *fact* is about; as it is no longer what it was, there may be reason to ask for others."""
    state.agenda.demand = True
    return state.allocations[fact.allocation]


def offer_room(state: State, allocation: Allocation) -> None:
    """Let jobs be bound to what is free of *allocation*, and see later whether any were."""
    if allocation.hold is Hold.READY:
        state.agenda.rooms[allocation.id] = None
        if not allocation.is_full:
            state.roomy[allocation.id] = None
    if not allocation.guests and allocation.hold in (Hold.READY, Hold.CLOSING):
        allocation.idle_since = state.now
        heappush(state.alarms, (Millis(state.now + state.policy.linger_ms), Alarm.LINGER, allocation.id))


def _settle_on(state: State, allocation: AllocationId, name: NodeName) -> None:
    node = state.nodes.get(name)
    if node is not None:
        node.allocation = allocation
        state.open_gaps.drop(name)


def _remember(state: State, _at: Millis, fact: MainJobHeldUp) -> None:
    state.harm.remember(fact)


def _plan_transfers(state: State, _at: Millis, fact: TransfersPlanned) -> None:
    for name, transfer in fact.transfers:
        _plan_transfer(state, state.allocations[name], transfer)


def _plan_transfer(state: State, allocation: Allocation, transfer: Transfer | None) -> None:
    if allocation.transfer is not None:
        state.transfers.remove(allocation.transfer)
    if transfer is not None:
        state.transfers.add(transfer)
    allocation.transfer = transfer


def _delay_release(state: State, _at: Millis, fact: ReleaseDelayed) -> None:
    heappush(state.alarms, (fact.again_at, Alarm.RELEASE, fact.allocation))


APPLIED_BY: dict[type, Callable[[State, Millis, Any], None]] = {
    NodesSeen: _see_all,
    GapClosed: _learn,
    MainJobHeldUp: _remember,
    AllocationAsked: _ask,
    AllocationStarted: _start,
    AgentArrived: _welcome,
    AllocationClosing: _close,
    AllocationFailed: _fail,
    AllocationReleased: _release,
    AllocationEnded: _end,
    ReleaseDelayed: _delay_release,
    RequestsSlowed: _slow,
    TransfersPlanned: _plan_transfers,
}
"""Who applies each kind of fact about nodes and allocations."""
