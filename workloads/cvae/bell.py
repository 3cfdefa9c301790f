"""The variant `bell`: an encoder, a decoder of shape times size, and the prior of codes.

After the conditional VAE of arXiv:2211.12553. Three things differ. The layers are dense, which is what one CPU core is
quick at, and a shape is a stretched bell (iact/spatial.py). The decoder gives the *expected* light, and an image is what
the camera records of it: the noise of light, the night sky, trigger and cleaning are known and need not be learnt; the
likelihood is that of the recorded counts. And the prior is learnt (flow.py).
"""

import torch
from torch import Tensor, nn

from idleq.workloads.cvae.data import Batch
from idleq.workloads.cvae.flow import Prior
from idleq.workloads.cvae.likelihood import log_likelihood
from idleq.workloads.cvae.model import Model, ModelSize
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.response import Response
from idleq.workloads.iact.scaling import to_light
from idleq.workloads.iact.sizing import condition_of
from idleq.workloads.iact.spatial import MOMENTS, NUMBERS, Shape, moments
from idleq.workloads.training.layers import layers, straight

# The likelihood of a bright shower's counts is off by more nats the more light it has, so that a step learns mostly from few.
# From this size on, in photo-electrons, one counts for half and less.
FAINT = 300.0


class Encoder(nn.Module):
    """Images (B, 609) on the networks' scale and conditions (B, 1) -> mean and log variance of the code (B, latent).

    It is told the moments of the light as well, and begins with them as the code's means.
    """

    def __init__(self, size: ModelSize, camera: Camera) -> None:
        super().__init__()
        self.register_buffer("places", torch.from_numpy(camera.to_unit()).float(), persistent=False)
        self.net = layers(PIXELS + MOMENTS + 1, size.width, size.width // 2, 2 * size.latent)
        self.straight = straight(MOMENTS, size.latent)

    def forward(self, images: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        told = moments(to_light(images), self.get_buffer("places"))
        mean, log_variance = self.net(torch.cat([images, told, condition], dim=1)).chunk(2, dim=1)
        return mean + self.straight(told), log_variance.clamp(-12, 4)


class Decoder(nn.Module):
    """Codes (B, latent) and sizes (B,) -> expected light (B, 609); it begins with the code's first numbers as the shape's."""

    def __init__(self, size: ModelSize, camera: Camera) -> None:
        super().__init__()
        self.draw = layers(size.latent + 1, size.width, size.width, NUMBERS + 1)
        self.straight = straight(size.latent, NUMBERS + 1)
        self.shape = Shape(camera)

    def forward(self, code: Tensor, sizes: Tensor) -> Tensor:
        drawn = self.draw(torch.cat([code, condition_of(sizes)], dim=1)) + self.straight(code)
        numbers, lost = drawn.split((NUMBERS, 1), dim=1)
        return self.shape.light(numbers, lost, sizes)


class BellModel(Model):
    """All three, with the likelihood of the recorded counts; an image is what the camera records of the light."""

    def __init__(self, size: ModelSize, log_quantiles: Tensor) -> None:
        camera = Camera.load()
        super().__init__(
            Encoder(size, camera), Decoder(size, camera), Prior(size.latent, 1), size.latent, log_quantiles
        )

    def misfit(self, light: Tensor, batch: Batch) -> Tensor:
        return -log_likelihood(light, batch.seen)

    def weights(self, batch: Batch) -> Tensor:
        return 1 / (1 + batch.sizes / FAINT)

    def record(self, light: Tensor, response: Response, random: torch.Generator) -> Tensor:
        return response.record(light, random)
