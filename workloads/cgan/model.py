"""The two networks: a class-conditional generator and discriminator on the camera's 32x32 map.

After arXiv:2211.15807, sized for one CPU core. The paper's generator gives the recorded image, by convolutions; this one
gives the expected light as a stretched bell (iact/spatial.py), and what is recorded of it is applied (recording.py).
What keeps the training stable: spectral normalisation of every layer of the discriminator with the hinge loss, a
projection discriminator (the class enters as an inner product), and an average over the generator's steps as the
result. The discriminator is also told the image's size, since that is what the classes mean, and its moments.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm

from idleq.workloads.iact.camera import SIDE, Camera
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.scaling import to_light
from idleq.workloads.iact.sizing import size_in_class
from idleq.workloads.iact.spatial import MOMENTS, NUMBERS, Shape, moments

SLOPE = 0.2

# log10 of the size: the middle and the spread of the training set, so that the feature is of order one.
_LOG_SIZE_MIDDLE = 2.7
_LOG_SIZE_SPREAD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """What must be known to build the generator that fits given weights."""

    latent: int
    width: int

    def to_dict(self) -> dict[str, int]:
        """Plain values, for a file's header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, int]) -> Self:
        """The inverse of `to_dict`."""
        return cls(latent=values["latent"], width=values["width"])


class SizeDraw(nn.Module):
    """The size of each image (B, 1): within its class as the training set's sizes are, placed by the first noise."""

    def __init__(self, log_quantiles: Tensor) -> None:
        super().__init__()
        self.register_buffer("log_quantiles", log_quantiles)

    def forward(self, noise: Tensor, classes: Tensor) -> Tensor:
        within = torch.special.ndtr(noise[:, 0])  # uniform, since the noise is normal
        return size_in_class(self.get_buffer("log_quantiles"), classes, within)[:, None]


class Generator(nn.Module):
    """Noise (B, latent) and classes (B,) -> expected light (B, 1, 32, 32) in photo-electrons, none outside the camera.

    The light is a shape that sums to one, times a size drawn from the class, times a factor near one: cleaning takes
    light away, so that more must be expected than is to be measured. An image is what the camera records of it.
    """

    def __init__(self, size: ModelSize, camera: Camera, log_quantiles: Tensor) -> None:
        super().__init__()
        self.latent = size.latent
        self.embed = nn.Embedding(CLASSES, 16)
        width = 16 * size.width
        self.draw = nn.Sequential(
            *(nn.Linear(size.latent + 16 + 1, width), nn.LeakyReLU(SLOPE)),
            *(nn.Linear(width, width), nn.LeakyReLU(SLOPE)),
            nn.Linear(width, NUMBERS + 1),
        )
        self.straight = nn.Linear(size.latent - 1, NUMBERS + 1)
        with torch.no_grad():
            self.straight.weight.copy_(0.6 * torch.eye(NUMBERS + 1, size.latent - 1))
        self.shape = Shape(camera)
        self.size = SizeDraw(log_quantiles)
        self.register_buffer("mask", torch.from_numpy(camera.mask).reshape(1, 1, SIDE, SIDE), persistent=False)
        self.register_buffer("cells", torch.from_numpy(camera.row * SIDE + camera.column), persistent=False)

    def forward(self, noise: Tensor, classes: Tensor) -> Tensor:
        rank = classes[:, None] / (CLASSES - 1) * 2 - 1  # the classes are ordered, which an embedding does not know
        given = torch.cat([noise, self.embed(classes), rank], dim=1)
        numbers, lost = (self.draw(given) + self.straight(noise[:, 1:])).split((NUMBERS, 1), dim=1)
        light = self.shape(numbers) * (self.size(noise, classes) * torch.exp(torch.tanh(lost)))  # (B, 609)
        maps: Tensor = light.new_zeros(len(light), SIDE * SIDE).index_copy(1, self.get_buffer("cells"), light)
        return maps.reshape(-1, 1, SIDE, SIDE)


class Discriminator(nn.Module):
    """Maps (B, 1, 32, 32) and classes (B,) -> how real each looks (B,)."""

    def __init__(self, size: ModelSize, camera: Camera) -> None:
        super().__init__()
        width = size.width
        self.register_buffer("cells", torch.from_numpy(camera.row * SIDE + camera.column), persistent=False)
        self.register_buffer("places", torch.from_numpy(camera.to_unit()).float(), persistent=False)
        channels = (1, width, 2 * width, 4 * width)
        self.shrink = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)) for before, after in pairwise(channels)
        )
        features = 4 * width * 4 * 4 + MOMENTS + 1 + 1
        self.merge = spectral_norm(nn.Linear(features, 128))
        self.judge = spectral_norm(nn.Linear(128, 1))
        self.embed = spectral_norm(nn.Embedding(CLASSES, 128))
        self.size_of_class = nn.Embedding(CLASSES, 3)  # a parabola in the size for each class
        nn.init.zeros_(self.size_of_class.weight)

    def forward(self, maps: Tensor, classes: Tensor) -> Tensor:
        size = log_size(maps)  # (B, 1)
        light = to_light(maps).flatten(1)[:, self.get_buffer("cells")]  # (B, 609)
        said = moments(light, self.get_buffer("places"))  # (B, MOMENTS)
        distance = (said[:, :2].square().sum(dim=1, keepdim=True) + 1e-6).sqrt()
        told = 3 * torch.tanh(torch.cat([said, distance], dim=1) / 3)  # (B, MOMENTS + 1)
        spread = maps.std(dim=0).mean().expand(len(maps), 1)  # minibatch spread: tells a collapsed generator
        for shrink in self.shrink:
            maps = leaky_relu(shrink(maps), SLOPE)  # (B, ., 16, 16), (B, ., 8, 8), (B, 4w, 4, 4)
        merged = leaky_relu(self.merge(torch.cat([maps.flatten(1), told, spread], dim=1)), SLOPE)  # (B, 128)
        by_class = (self.embed(classes) * merged).sum(dim=1)  # (B,)
        parabola = torch.cat([torch.ones_like(size), size, size.square()], dim=1)  # (B, 3)
        by_size = (self.size_of_class(classes) * parabola).sum(dim=1)  # (B,)
        judged: Tensor = self.judge(merged).squeeze(1) + by_class + by_size
        return judged


def log_size(maps: Tensor) -> Tensor:
    """(B, 1, 32, 32) -> (B, 1): the logarithm of each image's light, of order one."""
    total = to_light(maps).sum(dim=(2, 3))
    return (torch.log10(total + 1) - _LOG_SIZE_MIDDLE) / _LOG_SIZE_SPREAD
