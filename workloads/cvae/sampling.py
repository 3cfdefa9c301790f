"""Images from a model: a size within the class, a code from the prior, and what the camera records of the light.

A recorded image whose measured size is not of the class asked for is drawn again, as an experiment would select its
events by the size that it measures. `first` in the result tells how many needed no second draw.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from idleq.workloads.cvae.model import Model, condition_of
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.response import Response

Array = npt.NDArray[Any]

BATCH = 256

# After so many draws an image is taken whatever its size: a model that cannot make a class must not hang.
MOST_DRAWS = 30


@dataclass(frozen=True)
class Drawn:
    """Images (n, 609), and the share of them that were of their class at the first draw."""

    images: Array
    first: float


@torch.no_grad()
def sample(model: Model, camera: Camera, classes: Array, random: torch.Generator) -> Drawn:
    """(n,) classes -> (n, 609) float32 photo-electrons, drawn from *random* only."""
    response = Response.of(camera)
    wanted = torch.from_numpy(classes.astype(np.int64))
    images = torch.zeros(len(wanted), len(camera.x_mm))
    missing, first = torch.arange(len(wanted)), 0
    for draw in range(MOST_DRAWS):
        for chosen in torch.split(missing, BATCH):
            images[chosen] = _draw(model, response, wanted[chosen], random)
        missing = missing[~is_of_class(images[missing].sum(dim=1), wanted[missing], model)]
        first = len(wanted) - len(missing) if draw == 0 else first
        if not len(missing):
            break
    return Drawn(images=images.numpy(), first=first / len(wanted))


def _draw(model: Model, response: Response, classes: Tensor, random: torch.Generator) -> Tensor:
    sizes = size_in_class(model.get_buffer("log_quantiles"), classes, torch.rand(len(classes), generator=random))
    noise = torch.randn(len(classes), model.latent, generator=random)
    code = model.prior.draw(noise, condition_of(sizes))
    return response.record(model.decoder(code, sizes), random)


def size_in_class(log_quantiles: Tensor, classes: Tensor, within: Tensor) -> Tensor:
    """The size at the place *within* (0 to 1) of each class, as the training set's sizes lie (B,)."""
    position = (classes + within) / CLASSES * (len(log_quantiles) - 1)
    lower = position.long().clamp(max=len(log_quantiles) - 2)
    return torch.exp(torch.lerp(log_quantiles[lower], log_quantiles[lower + 1], position - lower))


def is_of_class(sizes: Tensor, classes: Tensor, model: Model) -> Tensor:
    """Whether each measured size lies within its class of the training set (B,)."""
    edges = torch.exp(model.get_buffer("log_quantiles")[:: (len(model.get_buffer("log_quantiles")) - 1) // CLASSES])
    lower, upper = edges[classes], edges[classes + 1]
    lower = torch.where(classes == 0, torch.finfo(sizes.dtype).tiny, lower)  # the outermost edges are but the extremes
    upper = torch.where(classes == CLASSES - 1, float("inf"), upper)
    return (sizes >= lower) & (sizes <= upper)
