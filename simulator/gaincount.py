"""The numbers of one run with guests: where the capacity went, what was harvested, and what main jobs felt of it."""

from dataclasses import dataclass
from statistics import fmean

import numpy as np

from idleq.ids import Millis
from idleq.simulator.guesttimes import GuestTimes
from idleq.simulator.harm import over_bound
from idleq.simulator.harvest import IdleGap, harvestable_ms, share
from idleq.simulator.ledger import Ledger
from idleq.simulator.pieces import OVERHEAD, Floats, Part
from idleq.simulator.placement import Sharing
from idleq.simulator.scenario import Scenario
from idleq.simulator.stage import Stage
from idleq.simulator.tails import tail_waste

DAY_MS = 86_400_000
SECOND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What watchers noted of a run: who held what, guests' times, main jobs' waits for guests, and main jobs' starts."""

    ledger: Ledger
    times: GuestTimes
    waited: dict[int, tuple[Millis, Millis]]
    starts: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Shares are of the capacity between since_s and until_s; times are in seconds; None where there is nothing to count.

    Attributes:
        since_s, until_s: what is measured.
        load: what main jobs ask for over what the machine has.
        main, useful, unsaved, start, thaw, save, freeze, lost, idle: where the capacity went; they sum to 1.
        overhead: start, thaw, save, freeze and lost together.
        effective: main and useful together: the effective utilisation.
        tail: what lay idle after the last guest had left, in gaps that had one; a part of idle.
        harvest: useful over what could be harvested in the gaps of the run without guests.
        segments, frozen, lost_segments, done: how many segments ended, and how.
        guests, guests_done: how many came in, and were done too.
        guests_per_day: of those that were done.
        guest_core_h_per_day: useful work.
        turnaround_s, stretch: means over guests that came in and were done.
        jobs: the main jobs that count: those that end in the measured time without guests.
        wait_s, wait_median_s, wait_p95_s, wait_max_s: theirs.
        slowdown: the mean of max(1, (wait + run) / max(tau, run)).
        wait_change_s, slowdown_change: against the run without guests, job by job.
        harmed, harm_s, harm_max_s, harm_bound_s, over_bound: how many main jobs found guests, what they waited for them in
            the mean and at the most, the most that one might have, and how many waited longer than they might.
        gaps, gap_median_s: of the run without guests.
    """

    since_s: float
    until_s: float
    load: float
    main: float
    useful: float
    unsaved: float
    start: float
    thaw: float
    save: float
    freeze: float
    lost: float
    idle: float
    overhead: float
    effective: float
    tail: float
    harvest: float | None
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
    jobs: int
    wait_s: float
    wait_median_s: float
    wait_p95_s: float
    wait_max_s: float
    slowdown: float
    wait_change_s: float
    slowdown_change: float
    harmed: int
    harm_s: float | None
    harm_max_s: float
    harm_bound_s: float
    over_bound: int
    gaps: int
    gap_median_s: float | None


def gain_of(scenario: Scenario, stage: Stage, recorded: Recorded) -> Gain:
    """Reckon up what *recorded* notes."""
    since, until = stage.since, stage.until
    cores = stage.nodes * scenario.node_cores
    capacity = cores * (until - since)
    ledger = recorded.ledger
    held = {part: float(found[0]) for part, found in ledger.pieces.areas([since, until]).items()}
    shares = {part: area / capacity for part, area in held.items()}
    overhead = sum(shares[part] for part in OVERHEAD)
    gaps = clipped(stage.gaps, since, until)
    unit_cores = 1 if scenario.sharing is Sharing.CORES else scenario.node_cores
    harvestable = harvestable_ms(gaps, scenario.costs.thaw_ms + scenario.costs.freeze_ms) * unit_cores
    tail = tail_waste(scenario.node_cores, stage.nodes, ledger.main_held(), ledger.held, since, until)
    came, done = recorded.times.between(since, until)
    waits, before = _waits(stage, recorded.starts), _waits(stage, stage.starts)
    slowdowns, slow_before = _slowdowns(stage, waits, scenario.tau), _slowdowns(stage, before, scenario.tau)
    harm = [waited_ms for waited_ms, _ in recorded.waited.values()]
    lengths = [gap.length_ms for gap in gaps]
    days = (until - since) / DAY_MS
    return Gain(
        since_s=since / SECOND,
        until_s=until / SECOND,
        load=stage.trace.load,
        main=shares[Part.MAIN],
        useful=shares[Part.USEFUL],
        unsaved=shares[Part.UNSAVED],
        start=shares[Part.START],
        thaw=shares[Part.THAW],
        save=shares[Part.SAVE],
        freeze=shares[Part.FREEZE],
        lost=shares[Part.LOST],
        idle=1 - sum(shares.values()),
        overhead=overhead,
        effective=shares[Part.MAIN] + shares[Part.USEFUL],
        tail=tail / capacity,
        harvest=share(held[Part.USEFUL], harvestable),
        segments=ledger.segments,
        frozen=ledger.frozen,
        lost_segments=ledger.lost,
        done=ledger.done,
        guests=came,
        guests_done=len(done),
        guests_per_day=len(done) / days,
        guest_core_h_per_day=held[Part.USEFUL] / 3_600_000 / days,
        turnaround_s=fmean(one.turnaround_ms for one in done) / SECOND if done else None,
        stretch=fmean(one.stretch for one in done) if done else None,
        jobs=len(waits),
        wait_s=float(waits.mean()),
        wait_median_s=float(np.median(waits)),
        wait_p95_s=float(np.percentile(waits, 95)),
        wait_max_s=float(waits.max()),
        slowdown=float(slowdowns.mean()),
        wait_change_s=float((waits - before).mean()),
        slowdown_change=float((slowdowns - slow_before).mean()),
        harmed=len(harm),
        harm_s=fmean(harm) / SECOND if harm else None,
        harm_max_s=max(harm, default=0) / SECOND,
        harm_bound_s=max((bound for _, bound in recorded.waited.values()), default=0) / SECOND,
        over_bound=len(over_bound(recorded.waited)),
        gaps=len(lengths),
        gap_median_s=float(np.median(lengths)) / SECOND if lengths else None,
    )


def clipped(gaps: list[IdleGap], since: Millis, until: Millis) -> list[IdleGap]:
    """Return what of *gaps* lies between *since* and *until*."""
    found = (gap._replace(since=max(gap.since, since), until=min(gap.until, until)) for gap in gaps)
    return [gap for gap in found if gap.since < gap.until]


def _waits(stage: Stage, starts: dict[int, int]) -> Floats:
    """Return what the main jobs that count waited, in seconds."""
    waits = [starts[job.id] - job.submit for job in stage.counted]
    return np.asarray(waits, dtype=np.float64) / SECOND


def _slowdowns(stage: Stage, waits: Floats, tau: int) -> Floats:
    runs = np.asarray([job.run for job in stage.counted], dtype=np.float64) / SECOND
    found: Floats = np.maximum(1.0, (waits + runs) / np.maximum(tau, runs))
    return found
