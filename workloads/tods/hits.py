"""Direct hits: how many a TOD has, and what each adds to the fast samples."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from idleq.workloads.tods.decimation import MARGIN
from idleq.workloads.tods.instrument import (
    C1_SIGMA_W,
    C2_MEAN_W,
    C2_SIGMA_W,
    CENTRAL_SIGMAS,
    DURATION_SECONDS,
    FAST_HZ,
    HIT_RATE_HZ,
    HIT_SECONDS,
    OVERSAMPLING,
    TAU_MEAN_S,
    TAU_SIGMA_S,
)

Array = npt.NDArray[Any]

# natural: as often as in orbit, so that 92 of 100 TODs have none. balanced: as many with none, with one, with more.
HitMix = Literal["natural", "balanced"]

# What a TOD can hold here: five hits happen to three TODs in a hundred million at the natural rate.
MAX_HITS = 5

# In place of a number of hits that nobody knows.
UNKNOWN_HITS = -1

# Of the TODs with two or more in the balanced mix: a Poisson distribution with this mean, from two on.
_SEVERAL_MEAN = 1.0


@dataclass(frozen=True)
class Hits:
    """The hits of some TODs, (count, MAX_HITS) each, NaN where there is none; times from the TOD's first sample, in no order."""

    seconds: Array
    c1: Array
    c2: Array
    tau: Array


def draw_counts(random: np.random.Generator, mix: HitMix, first: int, count: int) -> Array:
    """(count,) How many hits each TOD has; *first* is the number of the first TOD in its file."""
    if mix == "natural":
        drawn: Array = random.poisson(HIT_RATE_HZ * DURATION_SECONDS, count)
        return np.minimum(drawn, MAX_HITS).astype(np.int8)
    wanted = (first + np.arange(count)) % 3
    several = np.arange(2, MAX_HITS + 1)
    chances = stats.poisson.pmf(several, _SEVERAL_MEAN)
    more = random.choice(several, count, p=chances / chances.sum())
    return np.where(wanted == 2, more, wanted).astype(np.int8)  # noqa: PLR2004 - classes 0, 1 and 2+


def draw_hits(random: np.random.Generator, counts: Array) -> Hits:
    """Hits at any time of a TOD, with amplitudes and lengths of the central 95 %."""
    shape = (len(counts), MAX_HITS)
    there = np.arange(MAX_HITS) < counts[:, None]
    values = {
        "seconds": random.uniform(0, DURATION_SECONDS, shape),
        "c1": random.normal(0, C1_SIGMA_W, shape),
        "c2": _central(random, C2_MEAN_W, C2_SIGMA_W, shape),
        "tau": _central(random, TAU_MEAN_S, TAU_SIGMA_S, shape),
    }
    return Hits(**{name: np.where(there, drawn, np.nan) for name, drawn in values.items()})


def add_hits(fast: Array, hits: Hits) -> None:
    """Add each hit to its row of *fast*; a fast sample has the hit's mean over the sample's own time.

    The mean and not the value at its beginning: the decay is as short as a fast sample, and values would make the
    amplitude depend on where between two samples a hit falls.
    """
    step = 1 / FAST_HZ
    window = round(HIT_SECONDS * FAST_HZ)
    for row, slot in zip(*np.nonzero(~np.isnan(hits.seconds)), strict=True):
        begin = hits.seconds[row, slot] * FAST_HZ + MARGIN * OVERSAMPLING
        first = int(begin)
        edges = np.maximum(np.arange(first, first + window + 1) - begin, 0) * step
        last = min(first + window, fast.shape[-1])
        tau = hits.tau[row, slot]
        decay = hits.c2[row, slot] * tau * -np.diff(np.exp(-edges / tau)) / step
        level = hits.c1[row, slot] * np.diff(edges) / step
        fast[row, first:last] += (decay + level)[: last - first]


def _central(random: np.random.Generator, mean: float, sigma: float, shape: tuple[int, int]) -> Array:
    """Normal values within `CENTRAL_SIGMAS`, by the inverse of the distribution."""
    lowest = stats.norm.cdf(-CENTRAL_SIGMAS)
    drawn: Array = mean + sigma * stats.norm.ppf(random.uniform(lowest, 1 - lowest, shape))
    return drawn
