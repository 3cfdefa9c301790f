"""Gammas and hadrons of one split, as the classifier and the Hillas cuts see them."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import Dataset
from idleq.workloads.iact.hillas import hillas
from idleq.workloads.iact.origin import MADE, Origin

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Events:
    """Gammas first, then hadrons."""

    images: Array  # (n, 609)
    is_gamma: Array  # (n,)
    rows: Array  # (n,), of the table of showers
    parameters: Array  # (n, ...), see hillas.PARAMETERS

    @classmethod
    def of(cls, gammas: Dataset, hadrons: Dataset, camera: Camera) -> Self:
        """Both data sets as one."""
        images = np.concatenate([gammas.images, hadrons.images])
        is_gamma = np.arange(len(images)) < len(gammas.images)
        rows = np.concatenate([gammas.rows, hadrons.rows])
        return cls(images=images, is_gamma=is_gamma, rows=rows, parameters=hillas(images, camera))


@dataclass(frozen=True)
class TrainingData:
    """What is learnt from, what the cut is set by, and what both are measured by: three sets without a row in common."""

    learn: Events
    validate: Events
    measure: Events
    digest: str
    origin: Origin = MADE

    def counts(self) -> dict[str, int]:
        """How many events of each particle there are, by their names in the configuration."""
        sets = {"events": self.learn, "validated": self.validate, "judged": self.measure}
        return {name: int(events.is_gamma.sum()) for name, events in sets.items()}
