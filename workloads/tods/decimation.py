"""From 152 Hz to 19 Hz: a linear-phase low-pass filter, then every eighth sample.

The filter is a windowed sinc of 641 taps (Kaiser, beta 8) with half of the amplitude left at 8.9 Hz. Up to 8.3 Hz power
is kept within 0.1 %; from 9.6 Hz on, what would fold back onto the detector's 0 to 9.5 Hz is 80 dB down. Nyquist's
9.5 Hz lies in the slope between them, so a spectrum falls off in its last hertz.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

from idleq.workloads.tods.instrument import FAST_HZ, OVERSAMPLING

Array = npt.NDArray[Any]

_signal: Any = signal  # its published types are narrower than what it takes

TAPS = 641
CUTOFF_HZ = 8.9
KAISER_BETA = 8.0

# Slow samples at each end that see beyond the input: made and thrown away.
MARGIN = TAPS // 2 // OVERSAMPLING


def low_pass() -> Array:
    """(TAPS,) The filter, with a gain of one for what does not change."""
    taps: Array = _signal.firwin(TAPS, CUTOFF_HZ, window=("kaiser", KAISER_BETA), fs=FAST_HZ)
    return taps


def decimate(fast: Array) -> Array:
    """(..., 8 (n + 2 MARGIN)) at 152 Hz -> (..., n) at 19 Hz; slow sample i lies on fast sample 8 (i + MARGIN)."""
    slow: Array = _signal.upfirdn(low_pass(), fast, up=1, down=OVERSAMPLING, axis=-1)
    # upfirdn begins half a filter early: that is MARGIN slow samples, and so many more are the input's own margin.
    kept = fast.shape[-1] // OVERSAMPLING - 2 * MARGIN
    return slow[..., 2 * MARGIN : 2 * MARGIN + kept]


def response(frequencies: Array) -> Array:
    """The filter's gain (of amplitude) at *frequencies* in Hz."""
    _, gain = _signal.freqz(low_pass(), worN=np.asarray(frequencies), fs=FAST_HZ)
    size: Array = np.abs(gain)
    return size
