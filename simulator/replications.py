"""What guests cost main jobs over many shaken runs, each beside the same run without guests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from idleq.ids import Millis
from idleq.simulator.costs import GuestCosts
from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.guestload import Arrival
from idleq.simulator.harm import Interval, interval, mean_delay_ms, over_bound, shaken
from idleq.simulator.queueing import replay
from idleq.simulator.strategies import Site, Strategy, run

ENOUGH = 30
"""With fewer runs an interval says more about the draw than about the site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """One shaken run with guests, beside the same without.

    Attributes:
        seed: of the shaking.
        mean_delay_ms: by how much main jobs started later with guests, in the mean over all that started.
        moved: how many started at another time than without guests, earlier or later.
        waited: what each main job that found guests waited for them, and the most that it might.
        harvest: the harvest of this run.
    """

    seed: int
    mean_delay_ms: float
    moved: int
    waited: dict[int, tuple[Millis, Millis]]
    harvest: float | None

    @property
    def longest_wait_ms(self) -> Millis:
        """The longest that a main job waited for guests."""
        return max((waited for waited, _ in self.waited.values()), default=Millis(0))

    @property
    def over_bound(self) -> list[int]:
        """The main jobs that waited longer for guests than they may: none, or idleq breaks its word."""
        return over_bound(self.waited)


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmStudy:
    """What came of all replications.

    Attributes:
        replications: by seed.
        delay_ms: the mean over them of their mean delays, with its interval; paired: each run is compared with its own.
    """

    replications: tuple[Replication, ...]
    delay_ms: Interval

    @property
    def longest_wait_ms(self) -> Millis:
        """The longest that any main job waited for guests in any replication."""
        return max(one.longest_wait_ms for one in self.replications)


def harm_of(
    site: Site,
    strategy: Strategy,
    guests: Sequence[Arrival],
    costs: GuestCosts,
    *,
    seeds: Iterable[int] = range(1, ENOUGH + 1),
    shake_ms: int = 60_000,
) -> HarmStudy:
    """Run *strategy* on *site* once for each of *seeds*, the submits of its main jobs shaken by up to *shake_ms*.

    Both runs of a pair have the same main jobs, so that chance is in neither alone. *site* has a policy without a memory.

    Raises:
        ImpossibleParameters: there are no seeds.
    """
    found = tuple(_replication(site, strategy, guests, costs, seed, shake_ms) for seed in seeds)
    if not found:
        raise ImpossibleParameters("harm is measured over at least one replication")
    return HarmStudy(replications=found, delay_ms=interval([one.mean_delay_ms for one in found]))


def _replication(
    site: Site, strategy: Strategy, guests: Sequence[Arrival], costs: GuestCosts, seed: int, shake_ms: int
) -> Replication:
    site = replace(site, jobs=tuple(shaken(site.jobs, seed, shake_ms)))
    alone = replay(site.jobs, site.nodes * site.units, site.policy, site.semantics)
    outcome = run(site, strategy, guests, costs, site.gaps())
    return Replication(
        seed=seed,
        mean_delay_ms=mean_delay_ms(outcome.main_starts, alone),
        moved=sum(start != alone[job] for job, start in outcome.main_starts.items()),
        waited=outcome.waited,
        harvest=outcome.harvest,
    )
