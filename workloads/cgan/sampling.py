"""Images from a generator, as numbers per camera pixel."""

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from idleq.workloads.cgan.model import Generator
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.scaling import as_cleaned
from idleq.workloads.iact.sizing import Drawn, draw_of_classes

Array = npt.NDArray[Any]


@torch.no_grad()
def sample(generator: Generator, camera: Camera, classes: Array, random: torch.Generator) -> Drawn:
    """(n,) classes -> (n, 609) float32 photo-electrons, drawn from *random* only."""
    latent = generator.start.in_features - generator.embed.embedding_dim - 1
    row, column = torch.from_numpy(camera.row), torch.from_numpy(camera.column)

    def record(wanted: Tensor) -> Tensor:
        noise = torch.randn(len(wanted), latent, generator=random)
        return as_cleaned(generator(noise, wanted))[:, 0, row, column]  # (B, 609)

    return draw_of_classes(record, classes, generator.size.get_buffer("log_quantiles"))
