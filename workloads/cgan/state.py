"""The state of a conditional GAN's training.

The three random generators serve one purpose each: torch's draws the noise, numpy's the order of the data, Python's
the classes of the synthetic images.
"""

import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from idleq.workloads.cgan.bell import ToldDiscriminator
from idleq.workloads.cgan.config import TrainConfig, Variant
from idleq.workloads.cgan.convolutional import ConvolutionalDiscriminator
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.models import Discriminator, Generator, generator_of
from idleq.workloads.cgan.telling import Scale
from idleq.workloads.iact.camera import Camera
from idleq.workloads.training.batches import BatchOrder
from idleq.workloads.training.best import Best
from idleq.workloads.training.device import CPU
from idleq.workloads.training.history import History
from idleq.workloads.training.state import Choices, TrainingState

# Adam without momentum in the mean: with a moving opponent, momentum makes the two circle round each other.
ADAM_BETAS = {Variant.BELL: (0.0, 0.99), Variant.CONVOLUTIONAL: (0.0, 0.9)}


@dataclass(slots=True, kw_only=True)
class GanState(TrainingState):
    """Both networks, the average, the best average so far, both optimisers."""

    OWN_PARTS: ClassVar[tuple[str, ...]] = (
        "generator",
        "discriminator",
        "average",
        "best",
        "generator_optimiser",
        "discriminator_optimiser",
        "python_random",
    )

    generator: Generator
    discriminator: Discriminator
    average: Generator
    best: Best
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    python_random: Choices

    @classmethod
    def begin(cls, config: TrainConfig, data: TrainingData, camera: Camera, device: torch.device = CPU) -> Self:
        """The state on *device* before the first step; torch's generator is seeded here."""
        torch.manual_seed(config.seed)
        generator = generator_of(config.model, camera, data.log_quantiles).to(device)
        discriminator: Discriminator = (
            ToldDiscriminator(camera, Scale.of(data.told[: config.trained_on]))
            if config.variant is Variant.BELL
            else ConvolutionalDiscriminator(config.model)
        )
        discriminator.to(device)
        average = copy.deepcopy(generator).requires_grad_(requires_grad=False).eval()
        rates, betas, random = config.rates, ADAM_BETAS[config.variant], np.random.default_rng(config.seed)
        return cls(
            generator=generator,
            discriminator=discriminator,
            average=average,
            best=Best(average, patience=config.patience),
            generator_optimiser=torch.optim.Adam(generator.parameters(), rates.generator, betas),
            discriminator_optimiser=torch.optim.Adam(discriminator.parameters(), rates.discriminator, betas),
            python_random=Choices(config.seed),
            order=BatchOrder.begin(events=config.trained_on, batch=config.batch, random=random),
            history=History(),
            data_digest=data.digest,
            device=device,
        )
