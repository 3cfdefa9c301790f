"""The data set as the networks see it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy.typing as npt
import torch
from torch import Tensor

from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import Dataset
from idleq.workloads.iact.scaling import to_network
from idleq.workloads.iact.sizing import log_quantiles_of


@dataclass(frozen=True)
class TrainingData:
    """Images on the map and their classes; what the generator must know of the camera and of the sizes."""

    maps: Tensor  # (events, 1, 32, 32) in [-1, 1]
    classes: Tensor  # (events,)
    mask: Tensor  # (32, 32)
    log_quantiles: Tensor  # (SIZE_QUANTILES,)
    digest: str

    @classmethod
    def prepare(cls, dataset: Dataset, camera: Camera) -> Self:
        """*dataset* on the map of *camera*."""
        return cls(
            maps=to_network(torch.from_numpy(camera.to_map(dataset.images)))[:, None],
            classes=torch.from_numpy(dataset.classes),
            mask=torch.from_numpy(camera.mask),
            log_quantiles=log_quantiles_of(dataset.sizes),
            digest=dataset.digest,
        )

    def batch(self, chosen: npt.NDArray[Any]) -> tuple[Tensor, Tensor]:
        """Maps (B, 1, 32, 32) and classes (B,) of the events *chosen*."""
        index = torch.from_numpy(chosen)
        return self.maps[index], self.classes[index]
