"""The sizes of a class, and images of it: what is recorded with another size is drawn again.

As an experiment would, which selects its events by the size that it measures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from idleq.workloads.iact.camera import PIXELS
from idleq.workloads.iact.dataset import CLASSES

Array = npt.NDArray[Any]

POINTS = 100
"""In each class: with ten, the brightest hundredth of all showers would be drawn evenly in the logarithm up to the brightest of all."""

SIZE_QUANTILES = POINTS * CLASSES + 1
"""Points of the sizes' distribution that a model carries: those of each class and the outer edge."""

BATCH = 256

MOST_DRAWS = 30
"""After so many an image is taken whatever its size: a model that cannot make a class must not hang."""


def log_quantiles_of(sizes: Array) -> Tensor:
    """What a model carries of the sizes (n,) that it is trained on (SIZE_QUANTILES,)."""
    quantiles = np.quantile(sizes.astype(np.float64), np.linspace(0, 1, SIZE_QUANTILES))
    return torch.from_numpy(np.log(quantiles)).float()


# A scale for log10 of the size, so that the condition is of order one: about the middle and the spread of a
# usual training set, but the same for every one. Trained weights fit no other scale; other networks have their own.
LOG_SIZE_MIDDLE, LOG_SIZE_SPREAD = 2.77, 0.46


def condition_of(sizes: Tensor) -> Tensor:
    """Sizes (B,) in photo-electrons -> the condition (B, 1)."""
    return ((torch.log10(sizes) - LOG_SIZE_MIDDLE) / LOG_SIZE_SPREAD)[:, None]


def size_in_class(log_quantiles: Tensor, classes: Tensor, within: Tensor) -> Tensor:
    """The size at the place *within* (0 to 1) of each class, as the training set's sizes lie (B,)."""
    position = (classes + within) / CLASSES * (len(log_quantiles) - 1)
    lower = position.long().clamp(max=len(log_quantiles) - 2)
    return torch.exp(torch.lerp(log_quantiles[lower], log_quantiles[lower + 1], position - lower))


def is_of_class(sizes: Tensor, classes: Tensor, log_quantiles: Tensor) -> Tensor:
    """Whether each measured size lies within its class of the training set (B,)."""
    edges = torch.exp(log_quantiles[:: (len(log_quantiles) - 1) // CLASSES])
    lower, upper = edges[classes], edges[classes + 1]
    lower = torch.where(classes == 0, torch.finfo(sizes.dtype).tiny, lower)  # the outermost edges are but the extremes
    upper = torch.where(classes == CLASSES - 1, float("inf"), upper)
    return (sizes >= lower) & (sizes <= upper)


@dataclass(frozen=True)
class Drawn:
    """Images (n, 609), and the share of them that were of their class at the first draw."""

    images: Array
    first: float


def draw_of_classes(record: Callable[[Tensor], Tensor], classes: Array, log_quantiles: Tensor) -> Drawn:
    """Images of *classes* (n,), of which *record* makes some for classes (B,): each until it is of its class."""
    wanted, log_quantiles = torch.from_numpy(classes.astype(np.int64)), log_quantiles.cpu()
    images = torch.zeros(len(wanted), PIXELS)
    missing, first = torch.arange(len(wanted)), 0
    for draw in range(MOST_DRAWS):
        for chosen in torch.split(missing, BATCH):
            images[chosen] = record(wanted[chosen]).cpu()
        missing = missing[~is_of_class(images[missing].sum(dim=1), wanted[missing], log_quantiles)]
        first = len(wanted) - len(missing) if draw == 0 else first
        if not len(missing):
            break
    return Drawn(images=images.numpy(), first=first / len(wanted))
