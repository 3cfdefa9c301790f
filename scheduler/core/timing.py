"""How long what we hold lasts, and when its guests freeze."""

from collections.abc import Mapping
from dataclasses import dataclass

from idleq.ids import JobId, Millis
from idleq.scheduler.core.commands import SegmentPlan
from idleq.scheduler.core.freeze import FreezeCost, pack_backwards, save_interval_ms
from idleq.scheduler.core.state import Allocation, State
from idleq.scheduler.core.submission import FreezeMethod, JobSpec


def end_of(state: State, allocation: Allocation) -> Millis | None:
    """Return when *allocation* must be empty: its own end, or the gap's, whichever is first; None if neither is known."""
    node = state.nodes.get(allocation.node) if allocation.node is not None else None
    planned = None if node is None or node.gap is None else node.gap.end.likely
    return min((end for end in (allocation.until, planned) if end is not None), default=None)


def length_of(state: State, allocation: Allocation, now: Millis) -> Millis:
    """Return how long *allocation* lasts from *now* on; one without a known end counts as long as we would ask for."""
    end = end_of(state, allocation)
    return state.policy.max_allocation_ms if end is None else Millis(end - now)


def segment_plans(state: State, allocation: Allocation, guests: Mapping[JobId, JobSpec]) -> dict[JobId, SegmentPlan]:
    """Return when each of *guests*, which share the allocation's node and its path to the file system, acts."""
    end = end_of(state, allocation)
    age = _age(state, allocation)
    habits = {spec.name: _habit(state, spec, age) for spec in guests.values() if spec.freeze is not FreezeMethod.NONE}
    savers = [job for job, spec in guests.items() if spec.freeze is not FreezeMethod.NONE]
    starts: dict[JobId, Millis] = {}
    if end is not None:
        packed = pack_backwards(Millis(end - state.policy.margin_ms), [habits[guests[job].name].cost for job in savers])
        starts = dict(zip(savers, packed, strict=True))
    return {
        job: SegmentPlan(
            freeze_at=starts.get(job),
            ends_at=end,
            save_every_ms=None if spec.freeze is FreezeMethod.NONE else habits[spec.name].save_every_ms,
        )
        for job, spec in guests.items()
    }


@dataclass(frozen=True, slots=True)
class _Habit:
    """What a workload's freezes cost, and how often it saves."""

    cost: FreezeCost
    save_every_ms: Millis | None


def _age(state: State, allocation: Allocation) -> Millis:
    """Return how long the gap of *allocation* has lasted."""
    node = state.nodes.get(allocation.node) if allocation.node is not None else None
    return Millis(0) if node is None or node.gap is None else Millis(state.now - node.gap.since)


def _habit(state: State, spec: JobSpec, age: Millis) -> _Habit:
    latency = state.costs.freeze_ms(spec.name, 950, state.policy.freeze_ms)
    transfer = state.costs.bytes(spec.name) * 1000 // state.policy.bandwidth
    return _Habit(FreezeCost(latency, Millis(transfer)), _save_every(state, spec, age))


def _save_every(state: State, spec: JobSpec, age: Millis) -> Millis | None:
    """Return how often to save as insurance in a gap of that *age*; None where the grace is long enough to freeze on demand."""
    policy = state.policy
    if policy.grace_ms >= state.costs.freeze_ms(spec.name, 990, policy.freeze_ms) + policy.margin_ms:
        return None
    save_ms = state.costs.save_ms(spec.name, state.costs.freeze_ms(spec.name, 500, policy.freeze_ms))
    begin = age + state.costs.thaw_ms(spec.name, 500, policy.thaw_ms)
    first = save_interval_ms(save_ms, *state.foresight.hazard_at(Millis(begin)))
    # What counts is the rate when the interval is over: the guest begins after its thaw, and the rate falls meanwhile.
    return save_interval_ms(save_ms, *state.foresight.hazard_at(Millis(begin + first)))
