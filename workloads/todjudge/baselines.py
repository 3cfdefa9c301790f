"""What a judge must be able to tell from the truth: noise of the right width, and noise of the right spectrum."""

from typing import Any

import numpy as np
import numpy.typing as npt

from idleq.workloads.todjudge.spectra import mean_spectrum
from idleq.workloads.tods.instrument import SAMPLING_HZ

Array = npt.NDArray[Any]


def white_noise(tods: Array, random: np.random.Generator) -> Array:
    """As many TODs as *tods*, with their mean and their spread, and nothing else of theirs."""
    watts = tods.astype(np.float64)
    made: Array = (watts.mean() + watts.std() * random.standard_normal(tods.shape)).astype(np.float32)
    return made


def coloured_noise(tods: Array, random: np.random.Generator) -> Array:
    """Normal noise with the mean spectrum of *tods*, hits included, and no hit in it.

    Not quite that spectrum: it is known through the window of one TOD, and nothing is known of the means. So it is no bound of what a generator without hits can reach.
    """
    samples = tods.shape[1]
    _, powers = mean_spectrum(tods)
    powers[0] = powers[1]  # of the means, which the spectrum leaves out, nothing is known
    white = np.fft.rfft(random.standard_normal((len(tods), 2 * samples)), axis=1)
    gain = np.sqrt(np.interp(np.arange(white.shape[1]) / 2, np.arange(len(powers)), powers) * SAMPLING_HZ / 2)
    shaped = np.fft.irfft(white * gain, n=2 * samples, axis=1)[:, :samples]
    made: Array = (shaped + tods.mean(dtype=np.float64)).astype(np.float32)
    return made
