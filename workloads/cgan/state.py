"""The state of a conditional GAN's training.

The three random generators serve one purpose each: torch's draws the noise, numpy's the order of the data, Python's
the classes of the synthetic images.
"""

import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn

from idleq.workloads.cgan.config import TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.models import Generator, Opponents
from idleq.workloads.cgan.variants import opponents_of
from idleq.workloads.iact.camera import Camera
from idleq.workloads.training.batches import BatchOrder
from idleq.workloads.training.best import Best
from idleq.workloads.training.device import CPU
from idleq.workloads.training.history import History
from idleq.workloads.training.state import Choices, TrainingState


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

    opponents: Opponents
    average: Generator
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    python_random: Choices

    @property
    def generator(self) -> Generator:
        """The one that learns."""
        return self.opponents.generator

    @property
    def discriminator(self) -> nn.Module:
        """Its opponent."""
        return self.opponents.discriminator

    @classmethod
    def begin(cls, config: TrainConfig, data: TrainingData, camera: Camera, device: torch.device = CPU) -> Self:
        """The state on *device* before the first step; torch's generator is seeded here."""
        torch.manual_seed(config.seed)
        opponents = opponents_of(config, data, camera)
        generator, discriminator = opponents.generator.to(device), opponents.discriminator.to(device)
        average = copy.deepcopy(generator).requires_grad_(requires_grad=False).eval()
        rates, betas, random = config.rates, opponents.betas, np.random.default_rng(config.seed)
        return cls(
            opponents=opponents,
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
