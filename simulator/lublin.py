"""The workload model of Lublin and Feitelson (JPDC 63(11), 2003): rigid jobs, all of one type, with a daily cycle.

The constants are those that the authors fitted to three logs. The model has no time limits: they are drawn.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.table import Column, JobTable

Floats = NDArray[np.float64]

SERIAL, POWER_OF_TWO = 0.244, 0.576
LOWEST, LOWER_SHARE, MIDDLE_BELOW_TOP = 0.8, 0.86, 2.5
"""Logarithms of sizes: two uniform distributions that meet at log2(nodes) - MIDDLE_BELOW_TOP."""
SHORT, LONG = (4.2, 0.94), (312.0, 0.03)
SHORT_BY_SIZE, SHORT_SHARE = -0.0054, 0.78
"""Logarithms of run times: two gamma distributions; the first is the rarer the larger the job."""
LONGEST = 12.0
RUSH, RUSH_TO_ALL, LONGEST_INTERVAL = (10.2303, 0.4871), 1.0225, 13.0
"""Logarithms of intervals between submits at the rush hour."""
DAY = (8.1737, 3.9631)
DAY_BEGINS = 11
HALF_HOURS = 48
HALF_HOUR = 1800
MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Lublin:
    """What is drawn.

    Attributes:
        nodes: how large the machine is; no job is larger.
        jobs: how many.
        load: what they ask for over what the machine has; None leaves the model's own intervals.
        over_estimate: users ask for 1 to so many times what they need.
    """

    nodes: int
    jobs: int
    load: float | None = None
    over_estimate: float = 3.0

    def __post_init__(self) -> None:
        if self.nodes < 2**4 or self.jobs < 1 or self.over_estimate < 1 or (self.load is not None and self.load <= 0):
            raise ImpossibleParameters(
                "the Lublin-Feitelson model needs at least 16 nodes, a job, a load above 0, and limits of at least a run"
            )


def lublin(model: Lublin, seed: int) -> JobTable:
    """Draw the jobs of *model*; the same for the same seed."""
    draw = np.random.default_rng(seed)
    size = _sizes(model, draw)
    run = _runs(size, draw)
    submit = _submits(model.jobs, draw)
    if model.load is not None and submit[-1] > submit[0]:
        asked = float((run * size).sum()) / ((submit[-1] - submit[0]) * model.nodes)
        submit = (submit - submit[0]) * (asked / model.load)
    limit = np.ceil(run * draw.uniform(1, model.over_estimate, model.jobs) / MINUTE).astype(np.int64)
    unknown = np.full(model.jobs, -1, dtype=np.int64)
    return JobTable(
        id=np.arange(1, model.jobs + 1, dtype=np.int64),
        submit=submit.astype(np.int64),
        run=run,
        limit=limit * MINUTE,
        size=size,
        user=unknown,
        queue=unknown,
        memory=unknown,
    )


def _sizes(model: Lublin, draw: np.random.Generator) -> Column:
    kind = draw.random(model.jobs)
    top = math.log2(model.nodes)
    middle = top - MIDDLE_BELOW_TOP
    is_lower = draw.random(model.jobs) <= LOWER_SHARE
    power = np.where(is_lower, draw.uniform(LOWEST, middle, model.jobs), draw.uniform(middle, top, model.jobs))
    power = np.where(kind <= SERIAL + POWER_OF_TWO, np.floor(power + 0.5), power)
    size = np.where(kind <= SERIAL, 1, np.floor(2**power + 0.5))
    sizes: Column = np.clip(size, 1, model.nodes).astype(np.int64)
    return sizes


def _runs(size: Column, draw: np.random.Generator) -> Column:
    short = np.clip(SHORT_BY_SIZE * size + SHORT_SHARE, 0, 1)
    logarithm = np.full(len(size), math.inf)
    while (again := np.flatnonzero(logarithm > LONGEST)).size:
        is_short = draw.random(len(again)) <= short[again]
        logarithm[again] = np.where(is_short, draw.gamma(*SHORT, len(again)), draw.gamma(*LONG, len(again)))
    runs: Column = np.maximum(1, np.exp(logarithm)).astype(np.int64)
    return runs


def _submits(jobs: int, draw: np.random.Generator) -> Floats:
    """Lay intervals drawn for an even day over a day whose half hours have different weights."""
    logarithm = np.full(jobs, math.inf)
    while (again := np.flatnonzero(logarithm > LONGEST_INTERVAL)).size:
        logarithm[again] = draw.gamma(RUSH[0] * RUSH_TO_ALL, RUSH[1], len(again))
    even = np.cumsum(np.exp(logarithm))
    weights = _half_hour_weights()
    # On this clock every half hour passes as its weight; a whole day passes as a day.
    passed = np.concatenate([[0.0], np.cumsum(weights)]) * HALF_HOUR
    day = passed[-1]
    whole, rest = np.divmod(even, day)
    within = np.interp(rest, passed, np.arange(HALF_HOURS + 1) * HALF_HOUR)
    submits: Floats = whole * HALF_HOURS * HALF_HOUR + within
    return submits


def _half_hour_weights() -> Floats:
    """Return how many jobs come in each half hour from midnight on, 1 being the mean."""
    alpha, beta = DAY
    weights = np.zeros(HALF_HOURS)
    for step in range(DAY_BEGINS, DAY_BEGINS + HALF_HOURS):
        at = np.linspace(step - 0.5, step + 0.5, 101)
        weights[(step - 1) % HALF_HOURS] = np.mean(at ** (alpha - 1) * np.exp(-at / beta))
    evened: Floats = weights / weights.mean()
    return evened
