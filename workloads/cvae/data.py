"""The data set as the model sees it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy.typing as npt
import torch
from torch import Tensor

from idleq.workloads.cvae.likelihood import Observed
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import Dataset
from idleq.workloads.iact.origin import Origin
from idleq.workloads.iact.response import Response
from idleq.workloads.iact.scaling import to_network
from idleq.workloads.iact.sizing import log_quantiles_of
from idleq.workloads.training.device import CPU


@dataclass(frozen=True)
class Batch:
    """Some events."""

    images: Tensor  # (B, 609) in [-1, 1]
    sizes: Tensor  # (B,)
    seen: Observed


@dataclass(frozen=True)
class TrainingData:
    """Cleaned images and their sizes."""

    images: Tensor  # (events, 609)
    sizes: Tensor  # (events,)
    classes: Tensor  # (events,)
    log_quantiles: Tensor  # (SIZE_QUANTILES,)
    dark_below: (
        Tensor  # (events, 609), whole photo-electrons: looked up once, as it takes longer than a step leaves time for
    )
    digest: str
    origin: Origin

    @classmethod
    def prepare(cls, dataset: Dataset, camera: Camera, device: torch.device = CPU) -> Self:
        """*dataset* as recorded by *camera*, all of it on the *device*."""
        return cls(
            images=torch.from_numpy(dataset.images).to(device),
            sizes=torch.from_numpy(dataset.sizes).to(device),
            classes=torch.from_numpy(dataset.classes),
            log_quantiles=log_quantiles_of(dataset.sizes),
            dark_below=_dark_below(torch.from_numpy(dataset.images), Response.of(camera)).to(device),
            digest=dataset.digest,
            origin=dataset.origin,
        )

    def batch(self, chosen: npt.NDArray[Any]) -> Batch:
        """The events *chosen*."""
        index = torch.from_numpy(chosen)
        images = self.images[index]
        return Batch(
            images=to_network(images), sizes=self.sizes[index], seen=Observed.of(images, self.dark_below[index].float())
        )


def _dark_below(images: Tensor, response: Response) -> Tensor:
    return torch.cat([response.dark_below(some).to(torch.uint8) for some in torch.split(images, 1_000)])
