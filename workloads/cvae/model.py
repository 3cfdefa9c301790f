"""The three parts: an encoder, a decoder of shape times size, and the prior of codes.

After the conditional VAE of arXiv:2211.12553. Three things differ. The layers are dense, which is what one CPU core is
quick at, and a shape is a stretched bell (iact/spatial.py). The decoder gives the *expected* light, and an image is what
the camera records of it: the noise of light, the night sky, trigger and cleaning are known and need not be learnt; the
likelihood is that of the recorded counts. And the prior is learnt (flow.py).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from idleq.workloads.cvae.flow import Prior
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.scaling import to_light
from idleq.workloads.iact.spatial import MOMENTS, NUMBERS, Shape, moments

# log10 of the size: the middle and the spread of the training set, so that the condition is of order one.
LOG_SIZE_MIDDLE = 2.77
LOG_SIZE_SPREAD = 0.46


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """What must be known to build the model that fits given weights."""

    latent: int
    width: int

    def to_dict(self) -> dict[str, int]:
        """Plain values, for a file's header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, int]) -> Self:
        """The inverse of `to_dict`."""
        return cls(latent=values["latent"], width=values["width"])


def condition_of(sizes: Tensor) -> Tensor:
    """Sizes (B,) in photo-electrons -> the condition (B, 1)."""
    return ((torch.log10(sizes) - LOG_SIZE_MIDDLE) / LOG_SIZE_SPREAD)[:, None]


class Encoder(nn.Module):
    """Images (B, 609) on the networks' scale and conditions (B, 1) -> mean and log variance of the code (B, latent).

    It is told the moments of the light as well, and begins with them as the code's means.
    """

    def __init__(self, size: ModelSize, camera: Camera) -> None:
        super().__init__()
        self.register_buffer("places", torch.from_numpy(camera.to_unit()).float(), persistent=False)
        self.net = _layers(PIXELS + MOMENTS + 1, size.width, size.width // 2, 2 * size.latent)
        self.straight = _straight(MOMENTS, size.latent)

    def forward(self, images: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        told = moments(to_light(images), self.get_buffer("places"))
        mean, log_variance = self.net(torch.cat([images, told, condition], dim=1)).chunk(2, dim=1)
        return mean + self.straight(told), log_variance.clamp(-12, 4)


class Decoder(nn.Module):
    """Codes (B, latent) and sizes (B,) -> expected light (B, 609).

    A shape that sums to one, times the size, times a factor near one: cleaning takes light away, so that more must be
    expected than is to be measured. It begins with the code's first numbers as the shape's.
    """

    def __init__(self, size: ModelSize, camera: Camera) -> None:
        super().__init__()
        self.draw = _layers(size.latent + 1, size.width, size.width, NUMBERS + 1)
        self.straight = _straight(size.latent, NUMBERS + 1)
        self.shape = Shape(camera)

    def forward(self, code: Tensor, sizes: Tensor) -> Tensor:
        drawn = self.draw(torch.cat([code, condition_of(sizes)], dim=1)) + self.straight(code)
        numbers, lost = drawn.split((NUMBERS, 1), dim=1)
        light: Tensor = self.shape(numbers) * (sizes[:, None] * torch.exp(torch.tanh(lost)))
        return light


def _layers(first: int, *others: int) -> nn.Sequential:
    """Linear layers of these widths with SiLU between them."""
    widths = (first, *others)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def _straight(before: int, after: int) -> nn.Linear:
    """A linear way beside the layers, which hands on what it is given at first."""
    layer = nn.Linear(before, after)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class Model(nn.Module):
    """All three, as one thing to train and to save; it carries the sizes that it was trained on."""

    def __init__(self, size: ModelSize, log_quantiles: Tensor) -> None:
        super().__init__()
        self.latent = size.latent
        camera = Camera.load()
        self.encoder = Encoder(size, camera)
        self.decoder = Decoder(size, camera)
        self.prior = Prior(size.latent, 1)
        self.register_buffer("log_quantiles", log_quantiles)
