"""A run's numbers week by week: batches that are nearly independent, for intervals of a single run."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from idleq.ids import Millis
from idleq.simulator.gain import GainResult
from idleq.simulator.gaincount import away_of, clipped, harvestable_of, slowdowns_of, waits_of
from idleq.simulator.pieces import OVERHEAD, Floats, Part

WEEK_MS = 7 * 86_400_000
FEWEST = 3
"""Fewer whole weeks than this say nothing of how far they lie apart."""


def weekly(result: GainResult) -> Mapping[str, list[float]]:
    """Return some of the numbers of `Gain` for each whole week of the measured time; none where there are too few."""
    stage = result.stage
    edges = [Millis(at) for at in range(stage.since, stage.until + 1, WEEK_MS)]
    if len(edges) <= FEWEST:
        return {}
    return _shares(result, edges) | _waits(result, edges)


def _shares(result: GainResult, edges: Sequence[Millis]) -> dict[str, list[float]]:
    scenario, stage = result.scenario, result.stage
    held = result.recorded.ledger.pieces.areas(edges)
    capacity = stage.nodes * scenario.node_cores * WEEK_MS
    shares = {part.name.lower(): area / capacity for part, area in held.items()}
    harvestable = [harvestable_of(scenario, clipped(stage.gaps, since, until)) for since, until in pairwise(edges)]
    shares["overhead"] = sum((held[part] for part in OVERHEAD), np.zeros(len(edges) - 1)) / capacity
    shares["effective"] = shares["main"] + shares["useful"]
    away = np.asarray([away_of(scenario, stage, since, until) for since, until in pairwise(edges)])
    shares["idle"] = 1 - (sum((area for area in held.values()), np.zeros(len(edges) - 1)) + away) / capacity
    found = {name: values.tolist() for name, values in shares.items()}
    if all(harvestable):
        found["harvest"] = (held[Part.USEFUL] / np.asarray(harvestable)).tolist()
    return found


def _waits(result: GainResult, edges: Sequence[Millis]) -> dict[str, list[float]]:
    """Batches by the week in which jobs end without guests, by which those that count are chosen: no week lacks its long waits."""
    stage, tau = result.stage, result.scenario.tau
    week = (
        np.searchsorted(np.asarray(edges), [stage.starts[job.id] + job.run for job in stage.counted], side="right") - 1
    )
    waits, before = waits_of(stage, result.recorded.starts), waits_of(stage, stage.starts)
    slowdowns, slow_before = slowdowns_of(stage, waits, tau), slowdowns_of(stage, before, tau)
    values: dict[str, Floats] = {
        "wait_s": waits,
        "slowdown": slowdowns,
        "wait_change_s": waits - before,
        "slowdown_change": slowdowns - slow_before,
    }
    filled = [number for number in range(len(edges) - 1) if (week == number).any()]
    if len(filled) < FEWEST:
        return {}
    return {name: [float(one[week == number].mean()) for number in filled] for name, one in values.items()}
