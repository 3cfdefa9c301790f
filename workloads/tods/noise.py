"""Noise at the fast rate: the detector's own, 1/f and white, and the wafer's, half of which two detectors share."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from idleq.workloads.tods.instrument import (
    COMMON_MODE,
    FAST_HZ,
    KNEE_HZ,
    LOWEST_HZ,
    OVERSAMPLING,
    SLOPE,
    WAFER_MEAN_W,
    WAFER_SIGMA_W,
    white_density,
)

Array = npt.NDArray[Any]

_fft: Any = fft  # its published types are narrower than what it takes


def density(frequencies: Array) -> Array:
    """The one-sided power spectral density of the detector's noise, W^2/Hz: litebird-sim's model.

    S(f) = S_white (f^a + f_knee^a) / (f^a + f_min^a)
    """
    powers = np.abs(frequencies) ** SLOPE
    shaped: Array = white_density() * (powers + KNEE_HZ**SLOPE) / (powers + LOWEST_HZ**SLOPE)
    return shaped


def detector_noise(random: np.random.Generator, count: int, samples: int) -> Array:
    """(count, samples) at 152 Hz: cut out of a stretch twice as long, since a Fourier sum comes back to its beginning."""
    length: int = _fft.next_fast_len(2 * samples, real=True)
    white = random.standard_normal((count, length), dtype=np.float32)
    # In units of the white noise: watts squared are less than a float of four bytes can hold.
    gain = np.sqrt(density(_fft.rfftfreq(length, 1 / FAST_HZ)) / white_density()).astype(np.float32)
    gain[0] = 0.0  # no power can be given to an average over all time
    shaped = _fft.irfft(_fft.rfft(white, axis=-1) * gain, n=length, axis=-1)[:, :samples]
    noise: Array = shaped * np.float64((white_density() * FAST_HZ / 2) ** 0.5)
    return noise


def wafer_noise(random: np.random.Generator, count: int, samples: int) -> Array:
    """(count, samples) at 152 Hz: the rows 2k and 2k + 1 are the two detectors of a pair.

    The published spread is that of one sample at 19 Hz; white noise has it there when it has sqrt(8) of it at 152 Hz.
    """
    own = random.standard_normal((count, samples), dtype=np.float32)
    shared = np.repeat(random.standard_normal((-(-count // 2), samples), dtype=np.float32), 2, axis=0)[:count]
    mixed = np.float32((1 - COMMON_MODE) ** 0.5) * own + np.float32(COMMON_MODE**0.5) * shared
    noise: Array = WAFER_MEAN_W + np.float64(WAFER_SIGMA_W * OVERSAMPLING**0.5) * mixed
    return noise
