"""How a site would set idleq up for guests of known costs, so that the first of them freezes in time."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil

from idleq.ids import Millis
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.policy import HOUR, SECOND, Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import JobSpec
from idleq.simulator.costs import GuestCosts
from idleq.simulator.guestload import Arrival
from idleq.simulator.harvest import IdleGap

NEVER_STALLED = 10**9
LONGEST_MS = Millis(30 * 24 * HOUR)

USUAL = 0.95
"""So many of a site's gaps close beside no more others than it is set up for."""

NOBODY_WAITS = 10**15
"""Bytes a second of a path to the file system that no snapshot ever waits for."""


def engine_policy(grace_ms: Millis, costs: GuestCosts, specs: Sequence[JobSpec] = (), together: int = 1) -> Policy:
    """Return how a site would set idleq up for guests of such *specs*, where allocations are limited by nothing but the plan.

    What a freeze and a thaw take is that of the largest of them: what has not been measured must not come too late. So many
    nodes as *together* say write to the file system at once, where they have no turns: when gaps close that no plan named.
    """
    freeze_ms = max((costs.freeze_of(spec, together) for spec in specs), default=costs.freeze_ms)
    thaw_ms = max((costs.thaw_of(spec) for spec in specs), default=costs.thaw_ms)
    return Policy(
        mode=Mode.PREEMPTIBLE,
        grace_ms=grace_ms,
        freeze_ms=freeze_ms,
        thaw_ms=thaw_ms,
        bandwidth=costs.node_bandwidth() or NOBODY_WAITS,
        shared_bandwidth=costs.bandwidth or 0,
        # A gap in which a thawed guest would not do as much as it costs is not worth asking for.
        min_gap_ms=Millis(2 * (least_cost_ms(costs, specs) + SECOND)),
        max_allocation_ms=LONGEST_MS,
        # Simulated clocks are right, nobody polls, and agents begin at once.
        margin_ms=Millis(0),
        begin_ms=Millis(0),
        stall_segments=NEVER_STALLED,
        max_pending=10_000,
        ramp_start=10_000,
    )


def least_cost_ms(costs: GuestCosts, specs: Sequence[JobSpec]) -> Millis:
    """Return what the thaw and the freeze of the guest take together that comes and goes the quickest, with nobody beside it."""
    return min((Millis(costs.thaw_of(one) + costs.freeze_of(one)) for one in specs), default=Millis(0))


def specs_in(arrivals: Iterable[Arrival], node: Resources) -> list[JobSpec]:
    """Return what comes in of guests that fit on a node, each kind once."""
    specs = (one.spec for _, said in arrivals for one in said.submissions)
    kinds = {(spec.resources, spec.name): spec for spec in specs if spec.resources.fits_in(node)}
    return list(kinds.values())


def closing_together(gaps: Iterable[IdleGap]) -> int:
    """Return how many nodes lose a gap at the same instant at the most, but for one in twenty of such losses."""
    ends = Counter(until for until, _ in {(gap.until, gap.node) for gap in gaps})
    beside = sorted(nodes for nodes in ends.values() for _ in range(nodes))
    return beside[ceil(USUAL * len(beside)) - 1] if beside else 1
