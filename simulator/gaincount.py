"""The numbers of one run with guests: where the capacity went, what guests came to, and what main jobs felt of it."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import chain
from statistics import fmean

import numpy as np

from idleq.ids import Millis
from idleq.simulator.guesttimes import GuestTimes
from idleq.simulator.harm import over_bound
from idleq.simulator.harvest import IdleGap, harvestable_ms, share
from idleq.simulator.ledger import Ledger
from idleq.simulator.pieces import OVERHEAD, Floats, Part
from idleq.simulator.placement import SizeUnit
from idleq.simulator.scenario import Scenario, kinds_of
from idleq.simulator.stage import Stage
from idleq.simulator.tails import tail_waste
from idleq.simulator.tuning import least_cost_ms

DAY_MS, HOUR_MS, SECOND = 86_400_000, 3_600_000, 1000

Number = int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What watchers noted of a run: who held what, guests' times, main jobs' waits for guests, and main jobs' starts."""

    ledger: Ledger
    times: GuestTimes
    waited: dict[int, tuple[Millis, Millis]]
    starts: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares of the capacity in the measured time.

    Attributes:
        main, killed, useful, unsaved, start, thaw, save, freeze, lost, idle, away: where it went (`pieces.Part`); they sum to 1.
            Killed and away, what outages, drains and reservations keep from all, are None if there are none.
        overhead: start, thaw, save, freeze and lost together.
        effective: main and useful together: the effective utilisation.
        gained: what that is more than the utilisation without guests.
        tail: what lay idle after the last guest had left, in gaps that had one; a part of idle.
        harvest: useful over what could be harvested in the gaps of the run without guests; None if nothing could.
    """

    main: float
    killed: float | None
    useful: float
    unsaved: float
    start: float
    thaw: float
    save: float
    freeze: float
    lost: float
    idle: float
    away: float | None
    overhead: float
    effective: float
    gained: float
    tail: float
    harvest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSums:
    """What guests came to in the measured time, and for segments from the run's beginning until its end.

    Attributes:
        segments, frozen, lost_segments, done: how many segments ended until then, the warm-up included, and how.
        guests, guests_done: how many guests came in, and how many of these were done too.
        guests_per_day: of those that were done.
        guest_core_h_per_day: useful work.
        turnaround_s, stretch: means over those that were done; None if none was.
    """

    segments: int
    frozen: int
    lost_segments: int
    done: int
    guests: int
    guests_done: int
    guests_per_day: float
    guest_core_h_per_day: float
    turnaround_s: float | None
    stretch: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MainSums:
    """What main jobs felt.

    Attributes:
        jobs: how many count: those that end in the measured time in the run without guests.
        wait_s, wait_median_s, wait_p95_s, wait_max_s: from submit to start.
        slowdown: the mean of max(1, (wait + run) / max(tau, run)).
        wait_change_s, slowdown_change: the means of what each job has more than in the run without guests.
        found_guests: how many main jobs of the whole run found guests where they were to start.
        harm_s, harm_max_s: what these waited for guests, in the mean and at the most.
        harm_bound_s: the most that one of them might have waited.
        over_bound: how many waited longer than they might.
    """

    jobs: int
    wait_s: float
    wait_median_s: float
    wait_p95_s: float
    wait_max_s: float
    slowdown: float
    wait_change_s: float
    slowdown_change: float
    found_guests: int
    harm_s: float | None
    harm_max_s: float
    harm_bound_s: float
    over_bound: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSums:
    """The site without guests.

    Attributes:
        since_s, until_s: what is measured, from the first submit on.
        load: what main jobs ask for over what the machine has, between the first and the last submit.
        main_alone: the utilisation.
        idle_core_h: the area of the gaps.
        gaps, gap_median_s: how many there are, and half of them are shorter than what.
    """

    since_s: float
    until_s: float
    load: float
    main_alone: float
    idle_core_h: float
    gaps: int
    gap_median_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """All numbers of one run."""

    site: SiteSums
    shares: Shares
    guests: GuestSums
    main: MainSums

    def flat(self) -> Iterator[tuple[str, Number]]:
        """Yield every number under its name; no two have the same."""
        for part in (self.site, self.shares, self.guests, self.main):
            for one in fields(part):
                yield one.name, getattr(part, one.name)


def gain_of(scenario: Scenario, stage: Stage, recorded: Recorded) -> Gain:
    """Reckon up what *recorded* notes."""
    gaps = clipped(stage.gaps, stage.since, stage.until)
    held = {part: float(area[0]) for part, area in recorded.ledger.pieces.areas([stage.since, stage.until]).items()}
    return Gain(
        site=_site_sums(scenario, stage, gaps),
        shares=_shares(scenario, stage, recorded, gaps, held),
        guests=_guest_sums(stage, recorded, held[Part.USEFUL]),
        main=_main_sums(scenario, stage, recorded),
    )


def unit_cores_of(scenario: Scenario) -> int:
    """Return how many cores a unit has that main jobs take."""
    return 1 if scenario.sharing is SizeUnit.CORES else scenario.node_cores


def capacity_of(scenario: Scenario, stage: Stage) -> int:
    """Return the core-milliseconds that the site has in the measured time."""
    return stage.nodes * scenario.node_cores * (stage.until - stage.since)


def harvestable_of(scenario: Scenario, gaps: list[IdleGap]) -> int:
    """Return the core-milliseconds that could be harvested in *gaps*."""
    return harvestable_ms(gaps, way_ms(scenario)) * unit_cores_of(scenario)


def way_ms(scenario: Scenario) -> Millis:
    """Return what the thaw and the freeze of a guest take together: of the kind, if there are several, that costs least."""
    return least_cost_ms(scenario.costs, kinds_of(scenario.guests))


def away_of(scenario: Scenario, stage: Stage, since: Millis, until: Millis) -> int:
    """Return the core-milliseconds between *since* and *until* that nobody can have."""
    return harvestable_ms(clipped(stage.away, since, until), 0) * unit_cores_of(scenario)


def clipped(gaps: list[IdleGap], since: Millis, until: Millis) -> list[IdleGap]:
    """Return what of *gaps* lies between *since* and *until*."""
    found = (gap._replace(since=max(gap.since, since), until=min(gap.until, until)) for gap in gaps)
    return [gap for gap in found if gap.since < gap.until]


def _alone(scenario: Scenario, stage: Stage, gaps: list[IdleGap]) -> float:
    """Return the utilisation without guests: what is neither idle nor away, and not held for nothing."""
    since, until = stage.since, stage.until
    killed = sum(max(0, min(end, until) - max(begin, since)) * units for begin, end, units in stage.killed)
    other = (harvestable_ms(gaps, 0) + killed) * unit_cores_of(scenario) + away_of(scenario, stage, since, until)
    return 1 - other / capacity_of(scenario, stage)


def _site_sums(scenario: Scenario, stage: Stage, gaps: list[IdleGap]) -> SiteSums:
    lengths = [gap.length_ms for gap in gaps]
    idle_core_ms = harvestable_ms(gaps, 0) * unit_cores_of(scenario)
    return SiteSums(
        since_s=stage.since / SECOND,
        until_s=stage.until / SECOND,
        load=stage.trace.load,
        main_alone=_alone(scenario, stage, gaps),
        idle_core_h=idle_core_ms / HOUR_MS,
        gaps=len(gaps),
        gap_median_s=float(np.median(lengths)) / SECOND if lengths else None,
    )


def _shares(
    scenario: Scenario, stage: Stage, recorded: Recorded, gaps: list[IdleGap], held: dict[Part, float]
) -> Shares:
    since, until, ledger = stage.since, stage.until, recorded.ledger
    capacity, away = capacity_of(scenario, stage), away_of(scenario, stage, since, until)
    alone = _alone(scenario, stage, gaps)
    of_capacity = {part: area / capacity for part, area in held.items()}
    harvestable = harvestable_of(scenario, gaps)
    elsewhere = ((gap.node, gap.since, gap.until, scenario.node_cores) for gap in stage.away)
    main = chain(ledger.main_held(), elsewhere)
    tail = tail_waste(scenario.node_cores, stage.nodes, main, ledger.held, since, until) if ledger.held else 0
    return Shares(
        **{part.name.lower(): share for part, share in of_capacity.items() if part is not Part.KILLED},
        killed=of_capacity[Part.KILLED] if stage.outages else None,
        idle=max(0.0, 1 - sum(of_capacity.values()) - away / capacity),
        away=away / capacity if stage.outages else None,
        overhead=sum(of_capacity[part] for part in OVERHEAD),
        effective=of_capacity[Part.MAIN] + of_capacity[Part.USEFUL],
        gained=of_capacity[Part.MAIN] + of_capacity[Part.USEFUL] - alone,
        tail=tail / capacity,
        harvest=share(held[Part.USEFUL], harvestable),
    )


def _guest_sums(stage: Stage, recorded: Recorded, useful_core_ms: float) -> GuestSums:
    ledger = recorded.ledger
    came, done = recorded.times.between(stage.since, stage.until)
    days = (stage.until - stage.since) / DAY_MS
    return GuestSums(
        segments=ledger.segments,
        frozen=ledger.frozen,
        lost_segments=ledger.lost,
        done=ledger.done,
        guests=came,
        guests_done=len(done),
        guests_per_day=len(done) / days,
        guest_core_h_per_day=useful_core_ms / HOUR_MS / days,
        turnaround_s=fmean(one.turnaround_ms for one in done) / SECOND if done else None,
        stretch=fmean(one.stretch for one in done) if done else None,
    )


def _main_sums(scenario: Scenario, stage: Stage, recorded: Recorded) -> MainSums:
    waits, before = waits_of(stage, recorded.starts), waits_of(stage, stage.starts)
    slowdowns = slowdowns_of(stage, waits, scenario.tau)
    harm = [waited_ms for waited_ms, _ in recorded.waited.values()]
    return MainSums(
        jobs=len(waits),
        wait_s=float(waits.mean()),
        wait_median_s=float(np.median(waits)),
        wait_p95_s=float(np.percentile(waits, 95)),
        wait_max_s=float(waits.max()),
        slowdown=float(slowdowns.mean()),
        wait_change_s=float((waits - before).mean()),
        slowdown_change=float((slowdowns - slowdowns_of(stage, before, scenario.tau)).mean()),
        found_guests=len(harm),
        harm_s=fmean(harm) / SECOND if harm else None,
        harm_max_s=max(harm, default=0) / SECOND,
        harm_bound_s=max((bound for _, bound in recorded.waited.values()), default=0) / SECOND,
        over_bound=len(over_bound(recorded.waited)),
    )


def waits_of(stage: Stage, starts: dict[int, int]) -> Floats:
    """Return what the main jobs that count waited, in seconds."""
    return np.asarray([starts[job.id] - job.submit for job in stage.counted], dtype=np.float64) / SECOND


def slowdowns_of(stage: Stage, waits: Floats, tau: int) -> Floats:
    """Return the bounded slowdowns of the main jobs that count."""
    runs = np.asarray([job.run for job in stage.counted], dtype=np.float64) / SECOND
    found: Floats = np.maximum(1.0, (waits + runs) / np.maximum(tau, runs))
    return found
