"""The largest excursions of a TOD: how high, and when. The same finder looks at truth and at what is generated."""

from typing import Any

import numpy as np
import numpy.typing as npt

from idleq.workloads.tods.instrument import SAMPLES, SAMPLING_HZ

Array = npt.NDArray[Any]

# Samples around a found excursion that belong to it.
REACH = 4

# A hit is told apart from noise where it is this many times as high as the noise of a TOD without hits is wide.
THRESHOLD_SIGMAS = 5.0


def largest(tods: Array, count: int) -> tuple[Array, Array]:
    """The *count* largest excursions of each TOD above its median: watts and seconds, (n, count) each."""
    left = tods.astype(np.float64) - np.median(tods, axis=1, keepdims=True)
    rows, offsets = np.arange(len(left))[:, None], np.arange(-REACH, REACH + 1)
    heights, seconds = [], []
    for _ in range(count):
        where = left.argmax(axis=1)
        heights.append(left[rows[:, 0], where])
        seconds.append(where / SAMPLING_HZ)
        around = np.clip(where[:, None] + offsets, 0, SAMPLES - 1)
        left[rows, around] = -np.inf
    return np.stack(heights, axis=1), np.stack(seconds, axis=1)


def noise_width(tods: Array) -> float:
    """The width of the samples' distribution in watts, from the median deviation: hits hardly move it."""
    left = tods.astype(np.float64) - np.median(tods, axis=1, keepdims=True)
    return float(1.4826 * np.median(np.abs(left)))


def found_hits(tods: Array, width: float, most: int) -> Array:
    """(n,) How many excursions of each TOD, at most *most*, are higher than the threshold."""
    heights, _ = largest(tods, most)
    found: Array = (heights > THRESHOLD_SIGMAS * width).sum(axis=1)
    return found
