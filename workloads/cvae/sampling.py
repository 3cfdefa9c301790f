"""Images from a model: a size within the class, a code from the prior, and what is recorded of its light."""

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from idleq.workloads.cvae.model import Model
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.response import Response
from idleq.workloads.iact.sizing import Drawn, condition_of, draw_of_classes, size_in_class
from idleq.workloads.training.device import device_of

Array = npt.NDArray[Any]


@torch.no_grad()
def sample(model: Model, camera: Camera, classes: Array, random: torch.Generator) -> Drawn:
    """(n,) classes -> (n, 609) float32 photo-electrons, drawn from *random* only, which is on the CPU as the camera is."""
    response = Response.of(camera)
    log_quantiles, device = model.get_buffer("log_quantiles").cpu(), device_of(model)

    def record(wanted: Tensor) -> Tensor:
        sizes = size_in_class(log_quantiles, wanted, torch.rand(len(wanted), generator=random))
        noise = torch.randn(len(wanted), model.latent, generator=random).to(device)
        sizes = sizes.to(device)
        code = model.prior.draw(noise, condition_of(sizes))
        return model.record(model.decoder(code, sizes).cpu(), response, random)

    return draw_of_classes(record, classes, log_quantiles)
