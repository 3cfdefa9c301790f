"""TODs from a generator, in watts."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from idleq.workloads.todgan.data import Scale
from idleq.workloads.todgan.models import Generator
from idleq.workloads.tods.hits import MAX_HITS, UNKNOWN_HITS
from idleq.workloads.tods.simulation import Tods
from idleq.workloads.training.device import device_of

Array = npt.NDArray[Any]

BATCH = 256


@torch.no_grad()
def sample(generator: Generator, scale: Scale, hits: Array, random: torch.Generator) -> Array:
    """(n,) hit counts -> (n, 1060) float32 watts, drawn from *random* only."""
    made, device = [], device_of(generator)
    for start in range(0, len(hits), BATCH):
        wanted = torch.from_numpy(hits[start : start + BATCH].astype(np.int64)).to(device)
        made.append(scale.to_watts(generator(generator.noise(wanted, random), wanted)))
    return np.concatenate(made)


def as_tods(generator: Generator, tods: Array, hits: Array) -> Tods:
    """*tods* as a file holds them: where and how large the hits are nobody knows, nor their number of an unconditional one."""
    unknown = np.full((len(tods), MAX_HITS), np.nan, dtype=np.float32)
    counts = hits if generator.is_conditional else np.full(len(tods), UNKNOWN_HITS)
    return Tods(tods=tods, hits=counts.astype(np.int8), seconds=unknown, amplitudes=unknown, taus=unknown)
