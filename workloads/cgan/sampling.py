"""Images from a generator, as numbers per camera pixel."""

from typing import Any

import numpy.typing as npt
import torch

from idleq.workloads.cgan.models import Generator
from idleq.workloads.iact.sizing import Drawn, draw_of_classes

Array = npt.NDArray[Any]


def sample(generator: Generator, classes: Array, random: torch.Generator) -> Drawn:
    """(n,) classes -> (n, 609) float32 photo-electrons, drawn from *random* only."""
    return draw_of_classes(
        lambda wanted: generator.images(wanted, random), classes, generator.get_buffer("log_quantiles").cpu()
    )
