"""How long what we hold lasts, and when its guests freeze."""

from collections.abc import Iterable, Mapping

from idleq.ids import JobId, Millis
from idleq.scheduler.core.commands import Mode, SegmentPlan
from idleq.scheduler.core.costs import Typical
from idleq.scheduler.core.freeze import FreezeCost, best_interval_ms, pack_backwards
from idleq.scheduler.core.hazard import Outlook
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.state import Allocation, Node, State
from idleq.scheduler.core.submission import FreezeMethod, JobSpec

LOOKS_AHEAD = 2
"""What counts is the rate when the interval is over, as it falls meanwhile; looked at so often, the interval hardly moves any more."""


def end_of(state: State, allocation: Allocation) -> Millis | None:
    """Return when *allocation* must be empty: its own end, or the gap's, whichever is first; None if neither is known."""
    return _end(allocation, _node_of(state, allocation))


def _node_of(state: State, allocation: Allocation) -> Node | None:
    return None if allocation.node is None else state.nodes.get(allocation.node)


def _end(allocation: Allocation, node: Node | None) -> Millis | None:
    planned = None if node is None or node.gap is None else node.gap.end.likely
    until = allocation.until
    if planned is None or until is None:
        return until if planned is None else planned
    return min(until, planned)


def length_of(state: State, allocation: Allocation, now: Millis) -> Millis:
    """Return how long *allocation* lasts from *now* on; one without a known end counts as long as we would ask for."""
    end = end_of(state, allocation)
    return state.policy.max_allocation_ms if end is None else Millis(end - now)


def segment_plans(state: State, allocation: Allocation, guests: Mapping[JobId, JobSpec]) -> dict[JobId, SegmentPlan]:
    """Return when each of *guests*, which share the allocation's node and its path to the file system, acts."""
    if len(guests) == 1:
        return {job: plan_alone(state, allocation, spec) for job, spec in guests.items()}
    end = end_of(state, allocation)
    savers = [(job, spec) for job, spec in guests.items() if spec.freeze is not FreezeMethod.NONE]
    starts: dict[JobId, Millis] = {}
    if end is not None:
        costs = {
            name: _cost(state, _typical(state, spec)) for name, spec in {spec.name: spec for _, spec in savers}.items()
        }
        packed = pack_backwards(Millis(end - state.policy.margin_ms), [costs[spec.name] for _, spec in savers])
        starts = {job: start for (job, _), start in zip(savers, packed, strict=True)}
    intervals = _intervals(state, allocation, savers)
    return {
        job: SegmentPlan(freeze_at=starts.get(job), ends_at=end, save_every_ms=intervals.get(job)) for job in guests
    }


def plan_alone(state: State, allocation: Allocation, spec: JobSpec) -> SegmentPlan:
    """Return when a guest that shares the allocation's node with nobody acts."""
    node = _node_of(state, allocation)
    end = _end(allocation, node)
    freeze_at = every = None
    if spec.freeze is not FreezeMethod.NONE:
        policy = state.policy
        typical = state.costs.typical(spec.name, policy.freeze_ms, policy.thaw_ms)
        if end is not None:
            freeze_at = Millis(end - policy.margin_ms - _transfer_ms(policy, typical) - typical.freeze_ms)
        if _saves(policy, allocation, typical):
            every = _save_every(state, typical, _outlook(state, node))
    return SegmentPlan(freeze_at=freeze_at, ends_at=end, save_every_ms=every)


def _intervals(
    state: State, allocation: Allocation, savers: Iterable[tuple[JobId, JobSpec]]
) -> dict[JobId, Millis | None]:
    """Return how often each of *savers* saves; those of one name do so equally often."""
    outlook = _outlook(state, _node_of(state, allocation))
    by_name: dict[str, Millis | None] = {}
    for _, spec in savers:
        if spec.name not in by_name:
            typical = _typical(state, spec)
            by_name[spec.name] = (
                _save_every(state, typical, outlook) if _saves(state.policy, allocation, typical) else None
            )
    return {job: by_name[spec.name] for job, spec in savers}


def _outlook(state: State, node: Node | None) -> Outlook:
    """Return what is shown of the node's gap; of one that is not shown, that it has just opened."""
    if node is None or node.gap is None:
        return Outlook(state.now, None, 0)
    return node.outlook(node.gap)


def _typical(state: State, spec: JobSpec) -> Typical:
    policy = state.policy
    return state.costs.typical(spec.name, policy.freeze_ms, policy.thaw_ms)


def _cost(state: State, typical: Typical) -> FreezeCost:
    return FreezeCost(typical.freeze_ms, _transfer_ms(state.policy, typical))


def _transfer_ms(policy: Policy, typical: Typical) -> Millis:
    return Millis(typical.bytes * 1000 // policy.bandwidth)


def _saves(policy: Policy, allocation: Allocation, typical: Typical) -> bool:
    """Whether it has to save as insurance: not where the grace is long enough to freeze on demand, nor where nobody can end it early."""
    return allocation.mode is not Mode.WINDOW and policy.grace_ms < typical.longest_freeze_ms + policy.margin_ms


def _save_every(state: State, typical: Typical, outlook: Outlook) -> Millis:
    """Return how often to save as insurance in a gap of that *outlook*."""
    hazard, save_ms = state.foresight.hazard, typical.save_ms
    begin = state.now + typical.thaw_ms
    first = hazard.rates(outlook, Millis(begin))
    every = best_interval_ms(save_ms, first.mean_ms(save_ms))
    for _ in range(LOOKS_AHEAD):
        at = begin + every
        rates = first if at < first.until else hazard.rates(outlook, Millis(at))
        every = best_interval_ms(save_ms, rates.mean_ms(every + save_ms))
    return every
