"""Images from a generator, as numbers per camera pixel."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from idleq.workloads.cgan.model import Generator
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.scaling import as_cleaned

Array = npt.NDArray[Any]

BATCH = 256


@torch.no_grad()
def sample(generator: Generator, camera: Camera, classes: Array, random: torch.Generator) -> Array:
    """(n,) classes -> (n, 609) float32 photo-electrons, drawn from *random* only."""
    latent = generator.start.in_features - generator.embed.embedding_dim - 1
    images = []
    for start in range(0, len(classes), BATCH):
        wanted = torch.from_numpy(classes[start : start + BATCH].astype(np.int64))
        noise = torch.randn(len(wanted), latent, generator=random)
        maps = as_cleaned(generator(noise, wanted))  # (B, 1, 32, 32)
        images.append(camera.from_map(maps[:, 0].numpy()))
    return np.concatenate(images)
