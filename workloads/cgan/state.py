"""The state of a conditional GAN's training.

The three random generators serve one purpose each: torch's draws the noise, numpy's the order of the data, Python's
the classes of the synthetic images.
"""

import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from idleq.workloads.cgan.config import TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.model import Discriminator, Generator, ModelSize
from idleq.workloads.training.batches import BatchOrder
from idleq.workloads.training.history import History
from idleq.workloads.training.state import Choices, TrainingState

# Adam without momentum in the mean: with a moving opponent, momentum makes the two circle round each other.
ADAM_BETAS = (0.0, 0.9)


@dataclass(slots=True, kw_only=True)
class GanState(TrainingState):
    """Both networks, the average, both optimisers."""

    OWN_PARTS: ClassVar[tuple[str, ...]] = (
        "generator",
        "discriminator",
        "average",
        "generator_optimiser",
        "discriminator_optimiser",
        "python_random",
    )

    generator: Generator
    discriminator: Discriminator
    average: Generator
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    python_random: Choices

    @classmethod
    def begin(cls, config: TrainConfig, data: TrainingData) -> Self:
        """The state before the first step; torch's generator is seeded here."""
        torch.manual_seed(config.seed)
        size = ModelSize(latent=config.latent, width=config.width)
        generator, discriminator = Generator(size, data.mask, data.log_quantiles), Discriminator(size)
        return cls(
            generator=generator,
            discriminator=discriminator,
            average=copy.deepcopy(generator).requires_grad_(requires_grad=False).eval(),
            generator_optimiser=torch.optim.Adam(generator.parameters(), config.generator_rate, ADAM_BETAS),
            discriminator_optimiser=torch.optim.Adam(discriminator.parameters(), config.discriminator_rate, ADAM_BETAS),
            python_random=Choices(config.seed),
            order=BatchOrder.begin(events=config.events, batch=config.batch, random=np.random.default_rng(config.seed)),
            history=History(),
            data_digest=data.digest,
        )
