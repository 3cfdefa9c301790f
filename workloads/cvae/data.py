"""The data set as the model sees it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from idleq.workloads.cvae.likelihood import Observed
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES, Dataset
from idleq.workloads.iact.response import Response
from idleq.workloads.iact.scaling import to_network

# Points of the sizes' distribution that the model carries: ten in each class and the outer edge.
SIZE_QUANTILES = 10 * CLASSES + 1


@dataclass(frozen=True)
class Batch:
    """Some events."""

    maps: Tensor  # (B, 1, 32, 32) in [-1, 1]
    sizes: Tensor  # (B,)
    seen: Observed


@dataclass(frozen=True)
class TrainingData:
    """Cleaned images and their sizes; where each pixel lies on the map."""

    images: Tensor  # (events, 609)
    sizes: Tensor  # (events,)
    classes: Tensor  # (events,)
    row: Tensor  # (609,) of the map
    column: Tensor  # (609,) of the map
    mask: Tensor  # (32, 32)
    log_quantiles: Tensor  # (SIZE_QUANTILES,)
    response: Response
    digest: str

    @classmethod
    def prepare(cls, dataset: Dataset, camera: Camera) -> Self:
        """*dataset* on the map of *camera*."""
        quantiles = np.quantile(dataset.sizes.astype(np.float64), np.linspace(0, 1, SIZE_QUANTILES))
        return cls(
            images=torch.from_numpy(dataset.images),
            sizes=torch.from_numpy(dataset.sizes),
            classes=torch.from_numpy(dataset.classes),
            row=torch.from_numpy(camera.row),
            column=torch.from_numpy(camera.column),
            mask=torch.from_numpy(camera.mask),
            log_quantiles=torch.from_numpy(np.log(quantiles)).float(),
            response=Response.of(camera),
            digest=dataset.digest,
        )

    def batch(self, chosen: npt.NDArray[Any]) -> Batch:
        """The events *chosen*."""
        index = torch.from_numpy(chosen)
        images = self.images[index]
        maps = torch.zeros(len(images), 1, *self.mask.shape)
        maps[:, 0, self.row, self.column] = images
        return Batch(maps=to_network(maps), sizes=self.sizes[index], seen=Observed.of(images, self.response))

    def on_camera(self, maps: Tensor) -> Tensor:
        """(B, 1, 32, 32) -> (B, 609)."""
        return maps[:, 0, self.row, self.column]
