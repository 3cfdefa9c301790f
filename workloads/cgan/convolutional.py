"""The paper's kind of networks: a class-conditional generator and discriminator of convolutions on the camera's 32x32 map.

After arXiv:2211.15807, sized for one CPU core; the generator makes the recorded image itself. What keeps the training stable: spectral normalisation of every layer
of the discriminator with the hinge loss, a projection discriminator (the class enters as an inner product), and an
average over the generator's steps as the result. The discriminator is also told the image's size, since that is
what the classes mean.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu
from torch.nn.utils.parametrizations import spectral_norm

from idleq.workloads.cgan.config import ModelSize, TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.models import Generator, Loss
from idleq.workloads.iact.camera import SIDE, Camera
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.scaling import as_cleaned, to_light, to_network
from idleq.workloads.iact.sizing import size_in_class
from idleq.workloads.training.device import device_of
from idleq.workloads.training.state import Choices

SLOPE = 0.2

# A scale for log10 of the size, so that the feature is of order one: about the middle and the spread of a
# usual training set, but the same for every one. Trained weights fit no other scale; other networks have their own.
_LOG_SIZE_MIDDLE = 2.7
_LOG_SIZE_SPREAD = 0.5


class ClassNorm(nn.Module):
    """Batch normalisation whose gain and bias belong to the class."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(CLASSES, channels)
        self.bias = nn.Embedding(CLASSES, channels)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, maps: Tensor, classes: Tensor) -> Tensor:
        gain, bias = self.gain(classes)[:, :, None, None], self.bias(classes)[:, :, None, None]
        normed: Tensor = self.norm(maps) * gain + bias
        return normed


class ConvolutionalGenerator(Generator):
    """Noise (B, latent) and classes (B,) -> light (B, 1, 32, 32) in photo-electrons, none outside the camera.

    The light is a shape that sums to one times a size drawn from the class, so that an image is of the class asked
    for by construction, and the adversary's work is the shape.
    """

    def __init__(self, size: ModelSize, camera: Camera, log_quantiles: Tensor) -> None:
        super().__init__()
        width, self.latent = size.width, size.latent
        self.row, self.column = torch.from_numpy(camera.row), torch.from_numpy(camera.column)
        mask = torch.from_numpy(camera.mask)
        self.start_channels = 4 * width
        self.embed = nn.Embedding(CLASSES, 16)
        self.start = nn.Linear(size.latent + 16 + 1, self.start_channels * 4 * 4)
        channels = (4 * width, 4 * width, 2 * width)
        self.norms = nn.ModuleList(ClassNorm(count) for count in channels)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1) for before, after in pairwise(channels)
        )
        # The last doubling by rearranging four maps into one: a convolution at full size would cost half of the step.
        self.draw = nn.Sequential(nn.Conv2d(2 * width, 4, 3, padding=1), nn.PixelShuffle(2))
        self.register_buffer("log_quantiles", log_quantiles)
        self.register_buffer("mask", mask.reshape(1, 1, SIDE, SIDE), persistent=False)

    def forward(self, noise: Tensor, classes: Tensor) -> Tensor:
        rank = classes[:, None] / (CLASSES - 1) * 2 - 1  # the classes are ordered, which an embedding does not know
        flat = self.start(torch.cat([noise, self.embed(classes), rank], dim=1))
        maps = flat.reshape(-1, self.start_channels, 4, 4)  # (B, 4w, 4, 4)
        maps = leaky_relu(self.norms[0](maps, classes), SLOPE)
        for grow, norm in zip(self.grow, self.norms[1:], strict=True):
            maps = leaky_relu(norm(grow(maps), classes), SLOPE)  # (B, 4w, 8, 8), (B, 2w, 16, 16)
        # From here on light is counted, which eight bits are too few for.
        logits = self.draw(maps).float().masked_fill(~self.get_buffer("mask"), float("-inf"))  # (B, 1, 32, 32)
        shape = torch.softmax(logits.flatten(1), dim=1)  # (B, 1024)
        within = torch.special.ndtr(noise[:, 0])  # uniform, since the noise is normal
        light: Tensor = shape * size_in_class(self.get_buffer("log_quantiles"), classes, within)[:, None]  # (B, 1024)
        return light.reshape(-1, 1, SIDE, SIDE)

    @torch.no_grad()
    def images(self, classes: Tensor, random: torch.Generator) -> Tensor:
        """Cleaned images of *classes* (B,), as numbers per camera pixel (B, 609)."""
        device = device_of(self)
        noise = torch.randn(len(classes), self.latent, generator=random).to(device)
        return as_cleaned(self(noise, classes.to(device)))[:, 0, self.row, self.column].cpu()


class ConvolutionalDiscriminator(nn.Module):
    """Maps (B, 1, 32, 32) and classes (B,) -> how real each looks (B,)."""

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        width = size.width
        channels = (1, width, 2 * width, 4 * width)
        self.shrink = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)) for before, after in pairwise(channels)
        )
        features = 4 * width * 4 * 4 + 1
        self.merge = spectral_norm(nn.Linear(features, 128))
        self.judge = spectral_norm(nn.Linear(128, 1))
        self.embed = spectral_norm(nn.Embedding(CLASSES, 128))
        self.size_of_class = nn.Embedding(CLASSES, 3)  # a parabola in the size for each class
        nn.init.zeros_(self.size_of_class.weight)

    def forward(self, maps: Tensor, classes: Tensor) -> Tensor:
        size = log_size(maps)  # (B, 1)
        spread = maps.std(dim=0).mean().expand(len(maps), 1)  # minibatch spread: tells a collapsed generator
        for shrink in self.shrink:
            maps = leaky_relu(shrink(maps), SLOPE)  # (B, ., 16, 16), (B, ., 8, 8), (B, 4w, 4, 4)
        merged = leaky_relu(self.merge(torch.cat([maps.flatten(1), spread], dim=1)), SLOPE)  # (B, 128)
        by_class = (self.embed(classes) * merged).sum(dim=1)  # (B,)
        parabola = torch.cat([torch.ones_like(size), size, size.square()], dim=1)  # (B, 3)
        by_size = (self.size_of_class(classes) * parabola).sum(dim=1)  # (B,)
        judged: Tensor = self.judge(merged).squeeze(1) + by_class + by_size
        return judged


@dataclass(frozen=True, slots=True)
class ConvolutionalMeeting:
    """The hinge loss."""

    config: TrainConfig
    discriminator: ConvolutionalDiscriminator
    maps: Tensor  # true ones (B, 1, 32, 32)
    classes: Tensor  # theirs (B,)
    synthetic: Tensor  # (B, 1, 32, 32)
    wanted: Tensor  # the classes of the synthetic ones (B,)

    def discriminator_loss(self) -> Loss:
        """Real above +1, synthetic below -1."""
        with self.config.precision.autocast(self.maps.device.type):
            real_score = self.discriminator(self.maps, self.classes)  # (B,)
            synthetic_score = self.discriminator(self.synthetic.detach(), self.wanted)
            loss = relu(1 - real_score).mean() + relu(1 + synthetic_score).mean()
        return loss, {"discriminator_loss": loss}

    def generator_loss(self) -> Loss:
        """The same images score high."""
        with self.config.precision.autocast(self.maps.device.type):
            loss = -self.discriminator(self.synthetic, self.wanted).mean()
        return loss, {"generator_loss": loss}


@dataclass(frozen=True, slots=True)
class ConvolutionalOpponents:
    """Both networks of this variant."""

    betas: ClassVar[tuple[float, float]] = (0.0, 0.9)
    new_generator: ClassVar[type[ConvolutionalGenerator]] = ConvolutionalGenerator

    generator: ConvolutionalGenerator
    discriminator: ConvolutionalDiscriminator

    @classmethod
    def begin(cls, config: TrainConfig, data: TrainingData, camera: Camera) -> Self:
        """Both with new weights."""
        generator = ConvolutionalGenerator(config.model, camera, data.log_quantiles)
        return cls(generator, ConvolutionalDiscriminator(config.model))

    def meet(
        self, config: TrainConfig, data: TrainingData, chosen: npt.NDArray[Any], random: Choices
    ) -> ConvolutionalMeeting:
        """Images of classes that are drawn one by one."""
        device, (maps, classes) = device_of(self.generator), data.batch(chosen)
        wanted = torch.tensor([random.randrange(CLASSES) for _ in range(config.batch)]).to(device)
        noise = torch.randn(config.batch, self.generator.latent).to(device)
        with config.precision.autocast(device.type):
            synthetic = to_network(self.generator(noise, wanted))
        return ConvolutionalMeeting(config, self.discriminator, maps, classes, synthetic, wanted)


def log_size(maps: Tensor) -> Tensor:
    """(B, 1, 32, 32) -> (B, 1): the logarithm of each image's light, of order one."""
    total = to_light(maps).sum(dim=(2, 3))
    return (torch.log10(total + 1) - _LOG_SIZE_MIDDLE) / _LOG_SIZE_SPREAD
