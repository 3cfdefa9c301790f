"""A main queue alone as a comparison of nothing with nothing: so it has the same numbers, intervals, figures and page."""

from dataclasses import replace

import numpy as np

from idleq.simulator.costs import GuestCosts
from idleq.simulator.gain import GainResult
from idleq.simulator.gaincount import Recorded, SiteSums, clipped, gain_of
from idleq.simulator.guesttimes import GuestTimes
from idleq.simulator.harvest import gaps_between
from idleq.simulator.jobs import scaled
from idleq.simulator.ledger import Ledger
from idleq.simulator.mainrun import Engine, MainRun
from idleq.simulator.outages import Outage
from idleq.simulator.pieces import Part
from idleq.simulator.scenario import Scenario
from idleq.simulator.stage import SECOND, Stage, measured, unheld
from idleq.simulator.strategies import Strategy
from idleq.simulator.study.comparison import Alone, Comparison
from idleq.simulator.study.weeks import weekly
from idleq.simulator.trace import Trace

Stretch = tuple[int, int, int]
"""Since when until when so many processors were held, in milliseconds from the beginning of the part that is used."""


def alone(
    scenario: Scenario, trace: Trace, run: MainRun, engine: Engine, outages: tuple[Outage, ...], zero: int
) -> Comparison:
    """Return what a *run* of *trace* by *engine* around *outages* comes to; *scenario* says how it was run, nothing of guests.

    *zero* is when on the run's clock the part begins that is used: there is nothing before it.
    """
    scenario = replace(scenario, strategy=Strategy.NONE)
    stage = _stage(scenario, trace, run, outages, zero)
    recorded = Recorded(
        ledger=_ledger(scenario.costs, _held(run, zero), stage.killed),
        times=GuestTimes(scenario.costs),
        waited={},
        starts=stage.starts,
    )
    gain = gain_of(scenario, stage, recorded)
    gain = replace(gain, site=_counted(gain.site, stage))
    result = GainResult(scenario=scenario, gain=gain, stage=stage, recorded=recorded)
    return Comparison(
        scenario=scenario,
        gains={Strategy.NONE: (gain,)},
        first={Strategy.NONE: result},
        weeks={Strategy.NONE: dict(weekly(result))},
        alone=Alone(run=run, engine=engine),
    )


def _stage(scenario: Scenario, trace: Trace, run: MainRun, outages: tuple[Outage, ...], zero: int) -> Stage:
    table = replace(run.table, submit=run.table.submit - zero)
    jobs = tuple(scaled(table.jobs(), SECOND))
    starts = dict(zip(table.id.tolist(), ((run.start - zero) * SECOND).tolist(), strict=True))
    since, until = measured(jobs, starts)
    away_ms = tuple(
        replace(one, begin=max(0, one.begin - zero) * SECOND, until=(one.until - zero) * SECOND)
        for one in outages
        if one.until > zero
    )
    if away_ms:
        gaps, away = unheld(scenario, trace.processors, jobs, until, away_ms)
    else:
        gaps, away = gaps_between(_held(run, zero), trace.processors, until), []
    return Stage(
        trace=replace(trace, table=table),
        jobs=jobs,
        starts=starts,
        gaps=gaps,
        nodes=trace.processors,
        since=since,
        until=until,
        away=away,
        killed=[((begin - zero) * SECOND, (end - zero) * SECOND, size) for begin, end, size in run.killed],
        outages=away_ms,
    )


def _counted(site: SiteSums, stage: Stage) -> SiteSums:
    """Return *site* with the gaps counted processor by processor, as where each of them is a node."""
    gaps = clipped(stage.gaps, stage.since, stage.until)
    if not gaps:
        return site
    units = [gap.units for gap in gaps]
    median = np.quantile([gap.length_ms for gap in gaps], 0.5, weights=units, method="inverted_cdf")
    return replace(site, gaps=sum(units), gap_median_s=float(median) / SECOND)


def _held(run: MainRun, zero: int) -> list[Stretch]:
    """Return what jobs held in the runs that they finished, by since; those that start together in the order in which they came."""
    since = (run.start - zero) * SECOND
    until = since + run.table.run * SECOND
    order = since.argsort(kind="stable")
    return list(zip(since[order].tolist(), until[order].tolist(), run.table.size[order].tolist(), strict=True))


def _ledger(costs: GuestCosts, held: list[Stretch], killed: list[Stretch]) -> Ledger:
    """Return a ledger of main jobs only; on which processors they were nobody asks it."""
    ledger = Ledger(costs, unit_cores=1)
    for part, stretches in ((Part.MAIN, held), (Part.KILLED, killed)):
        for since, until, cores in stretches:
            ledger.pieces.add(part, 0, since, until, cores)
    return ledger
