"""Several strategies on one small site."""

from collections.abc import Iterable, Sequence
from functools import partial

from idleq.simulator.costs import GuestCosts
from idleq.simulator.guestload import Arrival
from idleq.simulator.keeper import Keeper, carried_out
from idleq.simulator.strategies import Outcome, Site, Strategy, Trial


def tried(
    site: Site,
    strategies: Iterable[Strategy],
    guests: Sequence[Arrival],
    costs: GuestCosts,
    keeper: Keeper | None = None,
) -> dict[Strategy, Outcome]:
    """What each of *strategies* comes to on *site* with the same guests; *keeper* keeps what has come of it so far."""
    gaps = site.gaps()
    return {
        strategy: carried_out(strategy, partial(Trial, site, strategy, guests, costs, gaps), keeper)
        for strategy in strategies
    }
