"""How long a generator takes for a TOD."""

import time

import numpy as np
import torch

from idleq.workloads.todgan.data import Scale
from idleq.workloads.todgan.models import Generator
from idleq.workloads.todgan.sampling import BATCH, sample
from idleq.workloads.tods.hits import draw_counts

BATCHES = 4


def seconds_per_tod(generator: Generator, scale: Scale) -> float:
    """The processor's seconds for one TOD, to watts, in batches; the first batch warms up and does not count."""
    hits = draw_counts(np.random.default_rng(0), "balanced", 0, BATCH * BATCHES)
    random = torch.Generator().manual_seed(0)
    sample(generator, scale, hits[:BATCH], random)
    started = time.process_time()
    sample(generator, scale, hits, random)
    return (time.process_time() - started) / len(hits)
