"""What one strategy gains on one site: `run_scenario`, from a scenario to numbers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from idleq.ids import Millis
from idleq.scheduler.core.resources import Resources
from idleq.simulator.costs import GuestCosts
from idleq.simulator.gaincount import Gain, Recorded, gain_of, unit_cores_of
from idleq.simulator.guestload import Arrival, GuestStream, always_enough, from_submissions, guest_stream
from idleq.simulator.guesttimes import GuestTimes
from idleq.simulator.harm import HarmWatch
from idleq.simulator.keeper import Keeper, boiled_down, carried_out
from idleq.simulator.kernel import Between
from idleq.simulator.ledger import Ledger
from idleq.simulator.places import Places
from idleq.simulator.scenario import Enough, JobFile, Scenario
from idleq.simulator.scenariokeys import plain, scenario_of
from idleq.simulator.stage import Stage, policy_of, set_stage, sharing_of, units_of
from idleq.simulator.strategies import Site, Strategy, prepared
from idleq.simulator.tuning import LONGEST_MS

NOBODY = Enough(memory_per_core=1)
"""Guests that fit on every node, for a site on which nobody asks for them."""

MORE_THAN_ENOUGH = 3
"""Guests for each core of the site: while one is frozen or thawed, others are there for the gaps that open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GainResult:
    """One strategy with one seed.

    Attributes:
        scenario: what was run.
        gain: what came of it, in numbers.
        stage: what the strategies on this site share.
        recorded: who held what and when, for figures.
    """

    scenario: Scenario
    gain: Gain
    stage: Stage
    recorded: Recorded

    def row(self) -> dict[str, str | int | float | None]:
        """Return the numbers as one flat row of a table."""
        return {"strategy": str(self.scenario.strategy), "seed": self.scenario.seed, **dict(self.gain.flat())}


Progress = Callable[[float], None]
"""Told from time to time what share of a run is done."""


def run_scenario(
    scenario: Scenario, places: Places, on_progress: Progress | None = None, keeper: Keeper | None = None
) -> GainResult:
    """Run *scenario*, kept by *keeper* if there is one; the same scenario gives the same numbers.

    Raises:
        TraceUnknown, BadTrace, ImpossibleParameters: there is nothing to run.
    """
    stage = stage_of(scenario, places)
    recorded = perform(scenario, stage, on_progress, keeper)
    return GainResult(scenario=scenario, gain=gain_of(scenario, stage, recorded), stage=stage, recorded=recorded)


def stage_of(scenario: Scenario, places: Places) -> Stage:
    """Return the stage of *scenario*; that of the last two sites is remembered, as strategies share it."""
    of_the_site = replace(
        scenario, strategy=Strategy.NONE, guests=NOBODY, costs=Scenario(trace="").costs, grace_ms=Millis(0)
    )
    return _stage(json.dumps(plain(of_the_site)), places)


def gain_alone(
    scenario: Scenario, places: Places, on_progress: Progress | None = None, keeper: Keeper | None = None
) -> Gain:
    """Return the numbers of `run_scenario`; who held what, which is large, is not kept."""
    stage = stage_of(scenario, places)
    begin, boiled = partial(Performance, scenario, stage), partial(gain_of, scenario, stage)
    return boiled_down(_name(scenario), begin, boiled, keeper, _shown(stage, on_progress))


@lru_cache(maxsize=2)
def _stage(written: str, places: Places) -> Stage:
    return set_stage(scenario_of(json.loads(written)), places)


def perform(
    scenario: Scenario, stage: Stage, on_progress: Progress | None = None, keeper: Keeper | None = None
) -> Recorded:
    """Run the guests of *scenario* on its *stage*, and on until all main jobs have started."""
    return carried_out(_name(scenario), partial(Performance, scenario, stage), keeper, _shown(stage, on_progress))


def _name(scenario: Scenario) -> str:
    return json.dumps(plain(scenario))


def _shown(stage: Stage, on_progress: Progress | None) -> Callable[[int], None] | None:
    jobs = len(stage.jobs)
    return None if on_progress is None else lambda started: on_progress(started / jobs)


class Performance:
    """The guests of a scenario on its stage, until all main jobs have started; can be left between two events."""

    def __init__(self, scenario: Scenario, stage: Stage) -> None:
        self._until, self._main_jobs = stage.until, len(stage.jobs)
        self._ledger = Ledger(scenario.costs, unit_cores_of(scenario), may_be_killed=bool(stage.outages))
        self._times = GuestTimes(scenario.costs)
        self._harm = HarmWatch()
        self._is_counted = False
        self._last_outage = max((one.begin for one in stage.outages), default=-1)
        self._experiment = prepared(
            _site(scenario, stage),
            scenario.strategy,
            arrivals(scenario, stage),
            _failing_by_seed(scenario),
            stage.gaps,
            (self._ledger, self._times, self._harm),
        )

    @property
    def started(self) -> int:
        """How many main jobs have started."""
        return len(self._experiment.starts)

    def finish(self, between: Between | None = None) -> Recorded:
        """Go on to the end."""
        if not self._is_counted:
            self._experiment.run(self._until, between)
            self._experiment.take_stock()
            self._ledger.finish(self._until)
            self._is_counted = True
        self._experiment.run_while(self._goes_on, LONG_AFTER, between)
        return Recorded(
            ledger=self._ledger, times=self._times, waited=self._harm.waited, starts=self._experiment.starts
        )

    def _goes_on(self) -> bool:
        """Whether a main job has to start yet, or may have to start again."""
        return self.started < self._main_jobs or self._experiment.now <= self._last_outage


def _failing_by_seed(scenario: Scenario) -> GuestCosts:
    """Return the costs of *scenario*, with failing freezes drawn by its own seed if none is given for them."""
    costs = scenario.costs
    return replace(costs, failing_seed=scenario.seed) if costs.failing_seed is None else costs


LONG_AFTER = Millis(10**15)


def _site(scenario: Scenario, stage: Stage) -> Site:
    units = units_of(scenario, stage.nodes)
    is_window = scenario.mode == "window"
    return Site(
        nodes=stage.nodes,
        node=scenario.node,
        jobs=stage.jobs,
        until=stage.until,
        grace_ms=scenario.grace_ms,
        policy=policy_of(scenario, sum(units), stage.outages),
        semantics=scenario.semantics,
        sharing=sharing_of(scenario),
        placement=scenario.placement,
        outages=stage.outages,
        mode=scenario.mode,
        longest_ms=scenario.window_ms if is_window else LONGEST_MS,
    )


def arrivals(scenario: Scenario, stage: Stage) -> tuple[Arrival, ...]:
    """Return the guests that come in."""
    match scenario.guests:
        case Enough(cores=cores, memory_per_core=memory, gpus=gpus):
            count = MORE_THAN_ENOUGH * stage.nodes * scenario.node_cores // cores
            return always_enough(Resources(cores, cores * memory, gpus), count)
        case GuestStream() as stream:
            return tuple(guest_stream(stream, stage.until, scenario.seed))
        case JobFile(submissions=submissions):
            return from_submissions(submissions)
