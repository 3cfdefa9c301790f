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
    response: Response
    digest: str

    @classmethod
    def prepare(cls, dataset: Dataset, camera: Camera) -> Self:
        """*dataset* as recorded by *camera*."""
        quantiles = np.quantile(dataset.sizes.astype(np.float64), np.linspace(0, 1, SIZE_QUANTILES))
        return cls(
            images=torch.from_numpy(dataset.images),
            sizes=torch.from_numpy(dataset.sizes),
            classes=torch.from_numpy(dataset.classes),
            log_quantiles=torch.from_numpy(np.log(quantiles)).float(),
            response=Response.of(camera),
            digest=dataset.digest,
        )

    def batch(self, chosen: npt.NDArray[Any]) -> Batch:
        """The events *chosen*."""
        index = torch.from_numpy(chosen)
        images = self.images[index]
        return Batch(images=to_network(images), sizes=self.sizes[index], seen=Observed.of(images, self.response))
