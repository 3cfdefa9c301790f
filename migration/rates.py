"""Whether compressing pays, from measured speeds: that of the file system against that of the compressor; pure."""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GAIN = 0.9
"""Compressing must take less than this much of the time that plain writing takes: it also heats a CPU that others could use."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one level made of a sample: bytes a second that it takes, and what share of them is left."""

    rate: float
    share: float


@dataclass(frozen=True, slots=True)
class Write:
    """So many bytes, and how many seconds passed until they were on the disk."""

    bytes: int
    seconds: float


def write_rate(writes: Sequence[Write]) -> float:
    """Return the bytes a second that the file system takes, whatever each file costs it besides: w of seconds = a + bytes / w.

    It is the middle of what each two of *writes* that differ in size say: of five, one that others' work has held up spoils nothing. Where
    time does not grow with size, the file system is too fast to be measured so, and what is returned is infinite.
    """
    pairs = itertools.combinations(writes, 2)
    slopes = [
        (one.seconds - other.seconds) / (one.bytes - other.bytes) for one, other in pairs if one.bytes != other.bytes
    ]
    slope = statistics.median(slopes) if slopes else 0.0
    return 1 / slope if slope > 0 else float("inf")


def level_for(write_rate: float, trials: Mapping[int, Trial], gain: float = GAIN) -> int:
    """Return the level by which a snapshot is written soonest, 0 if that is not to compress.

    Compressing and writing go on beside each other, so a byte takes as long as the slower of the two: max(1 / c, share / w) seconds for a
    compressor of c and a file system of w bytes a second, and 1 / w if it is not compressed.
    """
    plain = 1 / write_rate
    seconds = {level: max(1 / trial.rate, trial.share / write_rate) for level, trial in trials.items()}
    best = min(seconds, key=lambda level: (seconds[level], trials[level].share), default=0)
    return best if best and seconds[best] < gain * plain else 0
