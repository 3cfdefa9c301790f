"""The data set as the networks see it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES, Dataset
from idleq.workloads.iact.scaling import to_network

# Points of the sizes' distribution that the generator carries: ten in each class and the outer edge.
SIZE_QUANTILES = 10 * CLASSES + 1


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
        quantiles = np.quantile(dataset.sizes.astype(np.float64), np.linspace(0, 1, SIZE_QUANTILES))
        return cls(
            maps=to_network(torch.from_numpy(camera.to_map(dataset.images)))[:, None],
            classes=torch.from_numpy(dataset.classes),
            mask=torch.from_numpy(camera.mask),
            log_quantiles=torch.from_numpy(np.log(quantiles)).float(),
            digest=dataset.digest,
        )

    def batch(self, chosen: npt.NDArray[Any]) -> tuple[Tensor, Tensor]:
        """Maps (B, 1, 32, 32) and classes (B,) of the events *chosen*."""
        index = torch.from_numpy(chosen)
        return self.maps[index], self.classes[index]
