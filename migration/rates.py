"""Whether compressing pays, from measured speeds: that of the file system against that of the compressor; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

GAIN = 0.9
"""Compressing must take less than this much of the time that plain writing takes: it also heats a CPU that others could use."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one level made of a sample: bytes a second that it takes, and what share of them is left."""

    rate: float
    share: float


def level_for(write_rate: float, trials: Mapping[int, Trial], gain: float = GAIN) -> int:
    """Return the level by which a snapshot is written soonest, 0 if that is not to compress.

    Compressing and writing go on beside each other, so a byte takes as long as the slower of the two: max(1 / c, share / w) seconds for a
    compressor of c and a file system of w bytes a second, and 1 / w if it is not compressed.
    """
    plain = 1 / write_rate
    seconds = {level: max(1 / trial.rate, trial.share / write_rate) for level, trial in trials.items()}
    best = min(seconds, key=lambda level: (seconds[level], trials[level].share), default=0)
    return best if best and seconds[best] < gain * plain else 0
