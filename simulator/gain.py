"""What one strategy gains on one site: `run_scenario`, from a scenario to numbers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from idleq.ids import Millis
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.resources import Resources
from idleq.simulator.events import MainStarted
from idleq.simulator.gaincount import Gain, Recorded, gain_of, unit_cores_of
from idleq.simulator.guestload import Arrival, GuestStream, always_enough, from_submissions, guest_stream
from idleq.simulator.guesttimes import GuestTimes
from idleq.simulator.harm import HarmWatch
from idleq.simulator.ledger import Ledger
from idleq.simulator.places import Places
from idleq.simulator.scenario import Enough, JobFile, Scenario
from idleq.simulator.scenariokeys import plain, scenario_of
from idleq.simulator.stage import Stage, policy_of, set_stage, units_of
from idleq.simulator.strategies import LONGEST_MS, Site, Strategy, prepared

STEPS = 200
"""Progress is told about so often."""

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


def run_scenario(scenario: Scenario, places: Places, on_progress: Progress | None = None) -> GainResult:
    """Run *scenario*; the same scenario gives the same numbers.

    Raises:
        TraceUnknown, BadTrace, ImpossibleParameters: there is nothing to run.
    """
    stage = stage_of(scenario, places)
    recorded = perform(scenario, stage, on_progress)
    return GainResult(scenario=scenario, gain=gain_of(scenario, stage, recorded), stage=stage, recorded=recorded)


def stage_of(scenario: Scenario, places: Places) -> Stage:
    """Return the stage of *scenario*; that of the last two sites is remembered, as strategies share it."""
    of_the_site = replace(
        scenario, strategy=Strategy.NONE, guests=Enough(), costs=Scenario(trace="").costs, grace_ms=Millis(0)
    )
    return _stage(json.dumps(plain(of_the_site)), places)


@lru_cache(maxsize=2)
def _stage(written: str, places: Places) -> Stage:
    return set_stage(scenario_of(json.loads(written)), places)


@dataclass(slots=True)
class _Meter:
    """Listens to an experiment and tells how far it has come."""

    jobs: int
    tell: Progress
    started: int = 0

    def saw_fact(self, _at: Millis, _fact: Fact, /) -> None:
        """Nothing: guests may go on for ever."""

    def saw_start(self, _at: Millis, _started: MainStarted, /) -> None:
        """Count it."""
        self.started += 1
        if self.started % max(1, self.jobs // STEPS) == 0:
            self.tell(self.started / self.jobs)


def perform(scenario: Scenario, stage: Stage, on_progress: Progress | None = None) -> Recorded:
    """Run the guests of *scenario* on its *stage*, and on until all main jobs have started."""
    ledger, times, harm = Ledger(scenario.costs, unit_cores_of(scenario)), GuestTimes(scenario.costs), HarmWatch()
    site = _site(scenario, stage)
    meter = () if on_progress is None else (_Meter(len(stage.jobs), on_progress),)
    watchers = (ledger, times, harm, *meter)
    experiment = prepared(site, scenario.strategy, arrivals(scenario, stage), scenario.costs, stage.gaps, watchers)
    experiment.run(stage.until)
    experiment.take_stock()
    ledger.finish(stage.until)
    experiment.run_while(lambda: len(experiment.starts) < len(stage.jobs), LONG_AFTER)
    return Recorded(ledger=ledger, times=times, waited=harm.waited, starts=experiment.starts)


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
        policy=policy_of(scenario, sum(units)),
        sharing=scenario.sharing,
        mode=scenario.mode,
        longest_ms=scenario.window_ms if is_window else LONGEST_MS,
    )


def arrivals(scenario: Scenario, stage: Stage) -> tuple[Arrival, ...]:
    """Return the guests that come in."""
    match scenario.guests:
        case Enough(cores=cores, memory_per_core=memory):
            count = MORE_THAN_ENOUGH * stage.nodes * scenario.node_cores // cores
            return always_enough(Resources(cores, cores * memory), count)
        case GuestStream() as stream:
            return tuple(guest_stream(stream, stage.until, scenario.seed))
        case JobFile(submissions=submissions):
            return from_submissions(submissions)
