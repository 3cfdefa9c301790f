"""TODs from a seed: blocks that depend on their own seed only, so that a file can be made in pieces."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from idleq.workloads.tods.decimation import MARGIN, decimate
from idleq.workloads.tods.hits import HitMix, add_hits, draw_counts, draw_hits
from idleq.workloads.tods.instrument import OVERSAMPLING, SAMPLES
from idleq.workloads.tods.noise import detector_noise, wafer_noise

Array = npt.NDArray[Any]

# TODs made at a time: about a quarter of a second of work and 150 MB. Even, because pairs share noise.
BLOCK_TODS = 250


@dataclass(frozen=True)
class Tods:
    """Some TODs in watts, with what is known of their hits (NaN where there is none)."""

    tods: Array  # (count, 1060) float32
    hits: Array  # (count,) int8; -1: nobody knows
    seconds: Array  # (count, MAX_HITS) float32
    amplitudes: Array  # (count, MAX_HITS) float32, C2 in watts
    taus: Array  # (count, MAX_HITS) float32

    def __len__(self) -> int:
        return len(self.tods)

    @classmethod
    def joined(cls, pieces: "list[Tods]") -> Self:
        """All of *pieces*, in their order."""
        return cls(**{name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in ARRAYS})

    def arrays(self) -> dict[str, Array]:
        """Every array by its name."""
        return {name: getattr(self, name) for name in ARRAYS}


ARRAYS = tuple(field.name for field in fields(Tods))


def simulate_block(seeds: list[int], mix: HitMix, first: int, count: int) -> Tods:
    """*count* TODs, the first of which is number *first* of its file; *seeds* make the generator."""
    random = np.random.default_rng(seeds)
    counts = draw_counts(random, mix, first, count)
    samples = OVERSAMPLING * (SAMPLES + 2 * MARGIN)
    fast = detector_noise(random, count, samples)
    fast += wafer_noise(random, count, samples)
    hits = draw_hits(random, counts)
    add_hits(fast, hits)
    return Tods(
        tods=decimate(fast).astype(np.float32),
        hits=counts,
        seconds=hits.seconds.astype(np.float32),
        amplitudes=hits.c2.astype(np.float32),
        taus=hits.tau.astype(np.float32),
    )
