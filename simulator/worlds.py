"""Which world a site is: the policy of its queue and what fails in it decide."""

from collections.abc import Callable, Sequence
from functools import partial

from idleq.simulator.fittingworld import FittingWorld
from idleq.simulator.outages import Outage
from idleq.simulator.outageworld import OutageWorld
from idleq.simulator.placement import Placement
from idleq.simulator.queueing import Policy, Semantics
from idleq.simulator.queueing.fitting import Fitting
from idleq.simulator.world import World


def world_for(
    policy: Policy, semantics: Semantics, placement: Placement, outages: Sequence[Outage]
) -> Callable[..., World]:
    """Return what makes the world of a site under *policy*, which has to be told nothing more of these four."""
    if outages:
        # Where parts of a machine are away, main jobs have whole nodes, and those that no reservation takes.
        return partial(OutageWorld, policy=policy, outages=outages)
    if isinstance(policy, Fitting):
        return partial(FittingWorld, policy=policy, placement=placement)
    return partial(World, policy=policy, placement=placement, semantics=semantics)
