"""How long what we hold lasts, and when its guests freeze."""

from collections.abc import Iterable, Mapping, Sequence

from idleq.ids import JobId, Millis
from idleq.scheduler.core.commands import Mode, SegmentPlan
from idleq.scheduler.core.costs import Typical
from idleq.scheduler.core.entry import Entry
from idleq.scheduler.core.freeze import FreezeCost, best_interval_ms, pack_backwards
from idleq.scheduler.core.gaps import Gap
from idleq.scheduler.core.hazard import Outlook
from idleq.scheduler.core.job import Job
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.state import Allocation, Node, State
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.core.transfers import Transfer

LOOKS_AHEAD = 2
"""What counts is the rate when the interval is over, as it falls meanwhile; looked at so often, the interval hardly moves any more."""


WORTH_TELLING = Millis(1000)
"""A freeze that moves by less is not worth a message; the margin covers it."""


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


def length_in(state: State, gap: Gap, now: Millis) -> Millis:
    """Return how long an allocation in *gap* would be that is asked for now, as the site counts."""
    policy, end = state.policy, gap.end.likely
    if end is None:
        return policy.counted_ms(policy.max_allocation_ms)
    # A window ends when the gap does, so what passes until it begins is lost to it.
    by = end if policy.mode is Mode.PREEMPTIBLE else end - policy.begin_ms
    return policy.counted_ms(Millis(min(by - now, policy.max_allocation_ms)))


def segment_plans(state: State, allocation: Allocation) -> dict[JobId, SegmentPlan]:
    """Return when each guest of *allocation* acts: they share its node and its path to the file system."""
    guests, jobs, entries = allocation.guests, state.jobs, state.entries
    if len(guests) == 1:
        return {name: plan_alone(state, allocation, entries[jobs[name].entry], jobs[name]) for name in guests}
    end, savers = end_of(state, allocation), savers_of(state, allocation)
    starts: dict[JobId, Millis] = {}
    if end is not None:
        starts = dict(zip(savers, _freeze_starts(state.policy, allocation, end, savers.values()), strict=True))
    intervals = _intervals(state, allocation, savers)
    return {
        job: SegmentPlan(freeze_at=starts.get(job), ends_at=end, save_every_ms=intervals.get(job)) for job in guests
    }


def savers_of(state: State, allocation: Allocation) -> dict[JobId, Typical]:
    """Return who of the guests of *allocation* can be frozen, and what plans take each to be like."""
    jobs, entries = state.jobs, state.entries
    return {
        name: state.typical(entry, jobs[name])
        for name in allocation.guests
        if (entry := entries[jobs[name].entry]).submission.spec.freeze is not FreezeMethod.NONE
    }


def plan_alone(state: State, allocation: Allocation, entry: Entry, job: Job | None) -> SegmentPlan:
    """Return when *job* of *entry* (None: a fresh one), which shares the allocation's node with nobody, acts."""
    node = _node_of(state, allocation)
    end = _end(allocation, node)
    freeze_at = every = None
    if entry.submission.spec.freeze is not FreezeMethod.NONE:
        policy, typical = state.policy, state.typical(entry, job)
        if end is not None:
            takes_ms = transfer_ms(policy, typical)
            freeze_at = Millis(end - policy.margin_ms - takes_ms - typical.freeze_ms)
            if (turn := _turn(policy, allocation)) is not None:
                freeze_at = min(freeze_at, Millis(turn.until - takes_ms))
        if _saves(state, allocation, typical):
            every = _save_every(state, typical, _outlook(state, node))
    return SegmentPlan(freeze_at=freeze_at, ends_at=end, save_every_ms=every)


def _intervals(state: State, allocation: Allocation, savers: Mapping[JobId, Typical]) -> dict[JobId, Millis | None]:
    """Return how often each of *savers* saves; those that are alike do so equally often."""
    outlook = _outlook(state, _node_of(state, allocation))
    of_like: dict[Typical, Millis | None] = {}
    for typical in savers.values():
        if typical not in of_like:
            saves = _saves(state, allocation, typical)
            of_like[typical] = _save_every(state, typical, outlook) if saves else None
    return {job: of_like[typical] for job, typical in savers.items()}


def _outlook(state: State, node: Node | None) -> Outlook:
    """Return what is shown of the node's gap; of one that is not shown, that it has just opened."""
    if node is None or node.gap is None:
        return Outlook(state.now, None, 0)
    return node.outlook(node.gap)


def _freeze_starts(
    policy: Policy, allocation: Allocation, end: Millis, typicals: Iterable[Typical]
) -> Sequence[Millis]:
    """Return when to freeze each guest of *allocation*, which lasts until *end*: in its turn, if it was given one, and never later than without."""
    costs = [FreezeCost(typical.freeze_ms, transfer_ms(policy, typical)) for typical in typicals]
    latest = pack_backwards(Millis(end - policy.margin_ms), costs)
    turn = _turn(policy, allocation)
    if turn is None:
        return latest
    # What a freeze takes besides is kept free behind the turns of all (see `staggering`), so each may write as soon as it is asked.
    in_turn = pack_backwards(turn.until, [FreezeCost(Millis(0), cost.transfer_ms) for cost in costs])
    return [min(both) for both in zip(latest, in_turn, strict=True)]


def _turn(policy: Policy, allocation: Allocation) -> Transfer | None:
    return allocation.transfer if policy.shared_bandwidth else None


def transfer_ms(policy: Policy, typical: Typical) -> Millis:
    """Return how long a snapshot of a job like *typical* takes on its way to the file system."""
    return Millis(typical.bytes * 1000 // policy.write_rate)


def _saves(state: State, allocation: Allocation, typical: Typical) -> bool:
    """Whether it has to save as insurance: not where the grace is long enough to freeze on demand, nor where nobody can end it early.

    On demand there are no turns, and a main job may want all that we hold: what freezes in turns took says nothing of that.
    """
    policy = state.policy
    takes_ms = typical.longest_freeze_ms + policy.margin_ms
    if policy.shared_bandwidth:
        takes_ms += transfer_ms(policy, typical) * (len(state.allocations) - 1) // policy.writers
    return allocation.mode is not Mode.WINDOW and policy.grace_ms < takes_ms


def _save_every(state: State, typical: Typical, outlook: Outlook) -> Millis:
    """Return how often to save as insurance in a gap of that *outlook*."""
    hazard, save_ms = state.foresight.hazard, typical.save_ms
    begin = state.now + typical.thaw_ms
    first = hazard.rates(outlook, Millis(begin))
    every = best_interval_ms(save_ms, first.mean_ms(save_ms))
    at, rates = begin, first
    for _ in range(LOOKS_AHEAD):
        before, at = at, begin + every
        if at < first.until:
            rates = first
        elif not before <= at < rates.until:
            rates = hazard.rates(outlook, Millis(at))
        every = best_interval_ms(save_ms, rates.mean_ms(every + save_ms))
    return every
