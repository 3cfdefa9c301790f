"""The data set as the networks see it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy.typing as npt
import torch
from torch import Tensor

from idleq.workloads.cgan.config import Variant
from idleq.workloads.cgan.telling import told_of
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import Dataset
from idleq.workloads.iact.origin import Origin
from idleq.workloads.iact.scaling import to_network
from idleq.workloads.iact.sizing import log_quantiles_of
from idleq.workloads.training.device import CPU


@dataclass(frozen=True)
class TrainingData:
    """Images and their classes, what is told of them, and what the generator must know of the sizes."""

    images: Tensor  # (events, 609) photo-electrons
    maps: Tensor  # (events, 1, 32, 32) in [-1, 1]; none for a variant that sees no pixels
    told: Tensor  # (events, TOLD)
    classes: Tensor  # (events,)
    log_quantiles: Tensor  # (SIZE_QUANTILES,)
    digest: str
    origin: Origin

    @classmethod
    def prepare(cls, dataset: Dataset, camera: Camera, variant: Variant, device: torch.device = CPU) -> Self:
        """*dataset* on *camera*, as *variant* sees it, what networks see of it on the *device*."""
        images = torch.from_numpy(dataset.images)
        seen = dataset.images if variant is Variant.CONVOLUTIONAL else dataset.images[:0]
        return cls(
            images=images,
            maps=to_network(torch.from_numpy(camera.to_map(seen)))[:, None].to(device),
            told=told_of(images, torch.from_numpy(camera.to_unit()).float()).to(device),
            classes=torch.from_numpy(dataset.classes).to(device),
            log_quantiles=log_quantiles_of(dataset.sizes),
            digest=dataset.digest,
            origin=dataset.origin,
        )

    def batch(self, chosen: npt.NDArray[Any]) -> tuple[Tensor, Tensor]:
        """Maps (B, 1, 32, 32) and classes (B,) of the events *chosen*."""
        index = torch.from_numpy(chosen)
        return self.maps[index], self.classes[index]
