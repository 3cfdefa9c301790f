"""The power spectrum, as a mean over TODs and in logarithmic bands."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

from idleq.workloads.tods.instrument import DURATION_SECONDS, SAMPLING_HZ

Array = npt.NDArray[Any]

BANDS = 10


def band_edges() -> Array:
    """(BANDS + 1,) Hz, from just below the lowest frequency that a TOD has to its highest."""
    return np.geomspace(0.99 / DURATION_SECONDS, SAMPLING_HZ / 2 * 1.001, BANDS + 1)


def mean_spectrum(tods: Array) -> tuple[Array, Array]:
    """Frequencies in Hz and the mean one-sided density in W^2/Hz: Hann windows, each TOD's own mean taken off."""
    frequencies, powers = signal.periodogram(tods.astype(np.float64), SAMPLING_HZ, window="hann", axis=-1)
    return frequencies, powers.mean(axis=0)


def in_bands(frequencies: Array, powers: Array) -> Array:
    """(BANDS,) The mean of *powers* in each band."""
    band = np.digitize(frequencies, band_edges()) - 1
    return np.array([powers[band == index].mean() for index in range(BANDS)])
