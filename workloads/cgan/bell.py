"""A generator of showers as bells that are moved, stretched and bent, and a discriminator that is told what tells showers apart.

A shower is few numbers (iact/spatial.py); what the camera records of it is known (recording.py). So the generator makes the
numbers, and its light is recorded before the discriminator sees it. The angle about the camera's middle is drawn evenly:
nature knows no direction there, so **it holds by construction**, as the sizes do; how far from the middle a shower lies, how
long, wide, aslant and bent it is, and how all this goes with its size, is learnt from the adversary; how much light cleaning
takes, from the sizes that are recorded.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from idleq.workloads.cgan.config import ModelSize, TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.models import Generator, Loss
from idleq.workloads.cgan.recording import record
from idleq.workloads.cgan.telling import FURTHEST, TOLD, Scale, mirrored, tell
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.response import Response
from idleq.workloads.iact.sizing import condition_of, size_in_class
from idleq.workloads.iact.spatial import BENDS, LEANS, NUMBERS, Shape
from idleq.workloads.training.device import device_of
from idleq.workloads.training.layers import layers, straight
from idleq.workloads.training.state import Choices

SLOPE = 0.2

# What the generator makes: the distance from the middle instead of a place, the stretch, the bends and leans, and the lost
# light.
DRAWN = (1, 3, BENDS + LEANS, 1)

DISCRIMINATOR_WIDTH = 256

FEWEST_SEEN = 2

LEAST_SIZE = 20.0
"""What an image of which nothing is left counts as having, in photo-electrons."""

MOST_SLOPE = 20.0
"""By which one shower's numbers may move the loss: that of an image's moments has no bound where cleaning is near a far pixel."""


@dataclass(frozen=True)
class Noise:
    """What one batch is made from: normal numbers (B, latent); an angle, and a place within the class, for each (B,)."""

    codes: Tensor
    angles: Tensor
    within: Tensor


class BellGenerator(Generator):
    """Noise and classes (B,) -> expected light (B, 609) in photo-electrons."""

    def __init__(self, size: ModelSize, camera: Camera, log_quantiles: Tensor) -> None:
        super().__init__()
        self.latent = size.latent
        self.register_buffer("log_quantiles", log_quantiles)
        self.net = layers(size.latent + 1, size.width, size.width, size.width, sum(DRAWN))
        last = self.net[-1]
        nn.init.normal_(last.get_parameter("weight"), std=0.02)
        nn.init.zeros_(last.get_parameter("bias"))
        # At first the codes are the numbers themselves: usual showers, at half of the camera's radius, hardly bent.
        self.straight = straight(size.latent, sum(DRAWN))
        with torch.no_grad():
            self.straight.weight[sum(DRAWN[:2]) :].mul_(0.2)
            self.straight.bias[0] = 1.0
        self.shape = Shape(camera)
        self.register_buffer("touching", Response.of(camera).touching, persistent=False)

    @property
    def response(self) -> Response:
        """The camera's response, where the generator is."""
        return Response(touching=self.get_buffer("touching"))

    def noise(self, count: int, random: torch.Generator | None = None) -> Noise:
        """What *count* showers are made from."""
        device = self.get_buffer("log_quantiles").device
        codes = torch.randn(count, self.latent, generator=random).to(device)
        angles, within = torch.rand(2, count, generator=random).to(device).unbind()
        return Noise(codes=codes, angles=angles * 2 * math.pi, within=within)

    def sizes(self, noise: Noise, classes: Tensor) -> Tensor:
        """The sizes of showers of *classes* (B,): within each class as the training set's lie."""
        return size_in_class(self.get_buffer("log_quantiles"), classes, noise.within)

    def numbers(self, noise: Noise, sizes: Tensor) -> Tensor:
        """What the showers are (B, sum(DRAWN)), given their *sizes* (B,)."""
        made: Tensor = self.net(torch.cat([noise.codes, condition_of(sizes)], dim=1)) + self.straight(noise.codes)
        return made

    def light(self, numbers: Tensor, noise: Noise, sizes: Tensor) -> Tensor:
        """The expected light of showers (B, 609)."""
        distance, others, lost = torch.split(numbers, [1, NUMBERS - 2, 1], dim=1)
        way = torch.stack([torch.cos(noise.angles), torch.sin(noise.angles)], dim=1)
        return self.shape.light(torch.cat([distance.abs() * way, others], dim=1), lost, sizes)

    def forward(self, noise: Noise, classes: Tensor) -> Tensor:
        sizes = self.sizes(noise, classes)
        return self.light(self.numbers(noise, sizes), noise, sizes)

    @torch.no_grad()
    def images(self, classes: Tensor, random: torch.Generator) -> Tensor:
        """What the camera records of showers of *classes* (B,): cleaned images (B, 609)."""
        light = self(self.noise(len(classes), random), classes.to(device_of(self))).cpu()
        return Response(touching=self.get_buffer("touching").cpu()).record(light, random)


class ToldDiscriminator(nn.Module):
    """What is told of images, scaled (B, TOLD) -> how real each looks (B,).

    Beside its own numbers each is given their mean and their spread within the batch: that showers lie a little too far
    out says one image next to nothing, some hundred do.
    """

    def __init__(self, camera: Camera, scale: Scale) -> None:
        super().__init__()
        self.register_buffer("places", torch.from_numpy(camera.to_unit()).float(), persistent=False)
        self.register_buffer("mean", scale.mean)
        self.register_buffer("deviation", scale.deviation)
        width = DISCRIMINATOR_WIDTH
        self.judge = layers(3 * TOLD, width, width, width, 1, activation=lambda: nn.LeakyReLU(SLOPE))

    def told(self, images: Tensor, lit: Tensor) -> Tensor:
        """What it is told of *images* (B, 609), (B, TOLD)."""
        return self.scaled(tell(images, lit, self.get_buffer("places")))

    def scaled(self, told: Tensor) -> Tensor:
        """Every number of order one, and seen from a side that is drawn for each image."""
        sides = (torch.randint(0, 2, (len(told),)) * 2.0 - 1).to(told.device)
        scaled = (told - self.get_buffer("mean")) / self.get_buffer("deviation")
        return mirrored(scaled.clamp(-FURTHEST, FURTHEST), sides)

    def forward(self, told: Tensor) -> Tensor:
        middle, spread = (of(told, dim=0, keepdim=True).expand_as(told) for of in (torch.mean, torch.std))
        judged: Tensor = self.judge(torch.cat([told, 2 * middle, 2 * (spread - 1)], dim=1))[:, 0]
        return judged


@dataclass(frozen=True, slots=True)
class BellMeeting:
    """The logistic loss on what is told of true images, and of what is recorded of made light.

    Goodfellow et al., arXiv:1406.2661; a discriminator that is steep at true images costs (R1 of Mescheder et al.,
    arXiv:1801.04406, section 4.1).
    """

    config: TrainConfig
    discriminator: ToldDiscriminator
    true: Tensor  # what is told of true images (B, TOLD)
    made: Tensor  # and of made ones, scaled; of what does not trigger nothing
    images: Tensor  # the made ones
    sizes: Tensor  # that were drawn for them

    def discriminator_loss(self) -> Loss:
        """True scores high, made low, and not steeply."""
        real = self.discriminator.scaled(self.true).requires_grad_()
        real_score, made_score = self.discriminator(real), self.discriminator(self.made.detach())
        loss = -logsigmoid(real_score).mean() - logsigmoid(-made_score).mean()
        (slopes,) = torch.autograd.grad(real_score.sum(), real, create_graph=True)
        steepness = slopes.square().sum(dim=1).mean() / 2
        return loss + self.config.smoothness * steepness, {"discriminator_loss": loss}

    def generator_loss(self) -> Loss:
        """The same images score high, and are of the size drawn."""
        loss = -logsigmoid(self.discriminator(self.made)).mean()
        measured = self.images.sum(dim=1).clamp(min=LEAST_SIZE)
        missed = (torch.log(measured) - torch.log(self.sizes)).square().mean()
        return loss + self.config.size_weight * missed, {"generator_loss": loss, "size_missed": missed}


@dataclass(frozen=True, slots=True)
class BellOpponents:
    """Both networks of this variant."""

    betas: ClassVar[tuple[float, float]] = (0.0, 0.99)
    new_generator: ClassVar[type[BellGenerator]] = BellGenerator

    generator: BellGenerator
    discriminator: ToldDiscriminator

    @classmethod
    def begin(cls, config: TrainConfig, data: TrainingData, camera: Camera) -> Self:
        """Both with new weights."""
        return cls(
            BellGenerator(config.model, camera, data.log_quantiles),
            ToldDiscriminator(camera, Scale.of(data.told[: config.trained_on])),
        )

    def meet(self, config: TrainConfig, data: TrainingData, chosen: npt.NDArray[Any], random: Choices) -> BellMeeting:
        """What the camera records of made light; what does not trigger is left out, as it will be drawn again."""
        generator, device = self.generator, device_of(self.generator)
        # Of each class as many, but for the batch's rest: with which class that begins is drawn, so that over the steps
        # none has more. Were it counted instead, Python's generator would be no part of the state, and the weights others.
        wanted = (torch.arange(config.batch) + random.randrange(CLASSES)) % CLASSES
        noise = generator.noise(config.batch)
        sizes = generator.sizes(noise, wanted.to(device))
        numbers = generator.numbers(noise, sizes)
        numbers.register_hook(_bounded)  # type: ignore[no-untyped-call] # torch leaves it untyped
        recorded = record(generator.light(numbers, noise, sizes), generator.response)
        seen = recorded.is_seen.nonzero()[:, 0]
        if len(seen) < FEWEST_SEEN:  # of a training at its beginning: a batch has no spread otherwise
            seen = torch.arange(config.batch).to(device)
        images = recorded.images[seen]
        return BellMeeting(
            config=config,
            discriminator=self.discriminator,
            true=data.told[torch.from_numpy(chosen)],
            made=self.discriminator.told(images, recorded.lit[seen]),
            images=images,
            sizes=sizes[seen],
        )


def _bounded(slopes: Tensor) -> Tensor:
    """No shower's slope (B, numbers) is longer than MOST_SLOPE over the batch."""
    length = slopes.norm(dim=1, keepdim=True).clamp(min=1e-12)
    bounded: Tensor = slopes * (MOST_SLOPE / len(slopes) / length).clamp(max=1)
    return bounded
