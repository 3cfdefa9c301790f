"""Several strategies on the same site, with the same main jobs and the same guests for each seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.gain import GainResult, gain_alone, run_scenario
from idleq.simulator.gaincount import Gain, Number
from idleq.simulator.harm import Interval, interval
from idleq.simulator.keeper import Keeper
from idleq.simulator.mainrun import Engine, MainRun
from idleq.simulator.places import Places
from idleq.simulator.scenario import Scenario
from idleq.simulator.strategies import Strategy
from idleq.simulator.study.weeks import weekly

OnRun = Callable[[Strategy, int, float], None]
"""Told from time to time which strategy runs, the how manieth run it is (from 0 on), and what share of it is done."""


NUMBERS_ALONE = frozenset(
    {
        *("since_s", "until_s", "load", "idle_core_h", "gaps", "gap_median_s", "main", "killed", "idle", "away"),
        *("jobs", "wait_s", "wait_median_s", "wait_p95_s", "wait_max_s", "slowdown"),
    }
)
"""What of a run's numbers says something where nobody asked for guests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """The run of a main queue alone, and what carried it out."""

    run: MainRun
    engine: Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of each strategy.

    Attributes:
        scenario: of the first run; the others differ in strategy and seed.
        gains: the numbers of each strategy, one for each seed, in the same order for all.
        first: each strategy's run with the first seed, with all that was recorded.
        weeks: of these, the numbers week by week.
        alone: of the main queue alone, whose strategy is none, its run; None where guests were asked for.
    """

    scenario: Scenario
    gains: dict[Strategy, tuple[Gain, ...]]
    first: dict[Strategy, GainResult]
    weeks: dict[Strategy, dict[str, list[float]]]
    alone: Alone | None = None

    @property
    def replications(self) -> int:
        """How many seeds were run."""
        return len(next(iter(self.gains.values())))

    @property
    def seeds(self) -> range:
        """Which."""
        return range(self.scenario.seed, self.scenario.seed + self.replications)

    def flat(self, gain: Gain) -> dict[str, Number]:
        """Return the numbers of *gain* that say something here, by name."""
        return {name: value for name, value in gain.flat() if self.alone is None or name in NUMBERS_ALONE}

    def numbers(self, strategy: Strategy, name: str) -> list[float]:
        """Return that number of each replication that has one."""
        found = (self.flat(gain)[name] for gain in self.gains[strategy])
        return [value for value in found if value is not None]

    def interval(self, strategy: Strategy, name: str) -> Interval | None:
        """Return the mean of a number over the replications, or of the only one, with its 95 % interval; None: no number.

        Of a single run the interval is that of its weeks, where it has some; its mean is still that of the whole.
        """
        values = self.numbers(strategy, name)
        if not values:
            return None
        if len(values) > 1 or name not in self.weeks[strategy]:
            return interval(values)
        batches = interval(self.weeks[strategy][name])
        return Interval(mean=values[0], half_width=batches.half_width, count=batches.count)


def compare(
    scenario: Scenario,
    strategies: Sequence[Strategy],
    replications: int,
    places: Places,
    on_run: OnRun | None = None,
    keeper: Keeper | None = None,
) -> Comparison:
    """Run each of *strategies* with *replications* seeds, from the scenario's on; *keeper* keeps what has come of it so far.

    Raises:
        TraceUnknown, BadTrace, ImpossibleParameters: there is nothing to run.
    """
    if replications < 1 or not strategies or len(set(strategies)) < len(strategies):
        raise ImpossibleParameters("a comparison needs at least one replication, and strategies that differ")
    first: dict[Strategy, GainResult] = {}
    gains: dict[Strategy, list[Gain]] = {strategy: [] for strategy in strategies}
    for replication in range(replications):
        for place, strategy in enumerate(strategies):
            one = replace(scenario, strategy=strategy, seed=scenario.seed + replication)
            told = _told(on_run, strategy, replication * len(strategies) + place)
            if replication:
                gains[strategy].append(gain_alone(one, places, told, keeper))
            else:
                first[strategy] = run_scenario(one, places, told, keeper)
                gains[strategy].append(first[strategy].gain)
    return Comparison(
        scenario=first[strategies[0]].scenario,
        gains={strategy: tuple(found) for strategy, found in gains.items()},
        first=first,
        weeks={strategy: dict(weekly(result)) for strategy, result in first.items()},
    )


def _told(on_run: OnRun | None, strategy: Strategy, number: int) -> Callable[[float], None] | None:
    return None if on_run is None else lambda share: on_run(strategy, number, share)
