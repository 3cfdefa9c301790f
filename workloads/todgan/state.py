"""The state of a training on TODs. Torch's generator draws all noise, numpy's the order of the data."""

import copy
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

import numpy as np
import torch
from torch import nn

from idleq.workloads.todgan.conditional import ConditionalDiscriminator, ConditionalGenerator
from idleq.workloads.todgan.config import Rates, TodTrainConfig, Variant
from idleq.workloads.todgan.data import TrainingTods
from idleq.workloads.todgan.slides import SlidesDiscriminator, SlidesGenerator
from idleq.workloads.todgan.vae import Autoencoder, Decoder
from idleq.workloads.training.batches import BatchOrder
from idleq.workloads.training.best import Best
from idleq.workloads.training.device import CPU
from idleq.workloads.training.history import History
from idleq.workloads.training.state import TrainingState

AnyModule = TypeVar("AnyModule", bound=nn.Module)
# Without momentum in the mean: with a moving opponent, momentum makes the two circle round each other.
CONDITIONAL_BETAS = (0.0, 0.9)
KERAS_BETAS = (0.9, 0.999)


@dataclass(slots=True, kw_only=True)
class GanState(TrainingState):
    """Both networks, the average of the generator, both optimisers."""

    OWN_PARTS: ClassVar[tuple[str, ...]] = (
        "generator",
        "discriminator",
        "average",
        "generator_optimiser",
        "discriminator_optimiser",
        "best",
    )

    generator: SlidesGenerator | ConditionalGenerator
    discriminator: SlidesDiscriminator | ConditionalDiscriminator
    average: SlidesGenerator | ConditionalGenerator
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer

    @classmethod
    def begin(cls, config: TodTrainConfig, data: TrainingTods, device: torch.device = CPU) -> Self:
        """The state on *device* before the first step; torch's generator is seeded here."""
        torch.manual_seed(config.seed)
        rates = config.rates
        generator: SlidesGenerator | ConditionalGenerator
        discriminator: SlidesDiscriminator | ConditionalDiscriminator
        optimiser: torch.optim.Optimizer
        if config.variant is Variant.SLIDES:
            generator, discriminator, betas = (
                SlidesGenerator().to(device),
                SlidesDiscriminator().to(device),
                KERAS_BETAS,
            )
            optimiser = torch.optim.SGD(discriminator.parameters(), rates.discriminator)
        else:
            generator, discriminator = ConditionalGenerator().to(device), ConditionalDiscriminator().to(device)
            betas = CONDITIONAL_BETAS
            optimiser = torch.optim.Adam(discriminator.parameters(), rates.discriminator, betas)
        return cls(
            generator=generator,
            discriminator=discriminator,
            average=_averaged(generator),
            best=Best(generator, patience=config.patience),
            generator_optimiser=torch.optim.Adam(generator.parameters(), rates.generator, betas),
            discriminator_optimiser=optimiser,
            order=_order(config),
            history=History(),
            data_digest=data.digest,
            device=device,
        )

    def optimisers(self, rates: Rates) -> list[tuple[torch.optim.Optimizer, float]]:
        """Each with the rate that it begins with."""
        return [(self.generator_optimiser, rates.generator), (self.discriminator_optimiser, rates.discriminator)]


@dataclass(slots=True, kw_only=True)
class VaeState(TrainingState):
    """Encoder and decoder, the average of the decoder, one optimiser."""

    OWN_PARTS: ClassVar[tuple[str, ...]] = ("model", "average", "optimiser", "best")

    model: Autoencoder
    average: Decoder
    optimiser: torch.optim.Optimizer

    @classmethod
    def begin(cls, config: TodTrainConfig, data: TrainingTods, device: torch.device = CPU) -> Self:
        """The state on *device* before the first step; torch's generator is seeded here."""
        torch.manual_seed(config.seed)
        model = Autoencoder().to(device)
        return cls(
            model=model,
            average=_averaged(model.decoder),
            best=Best(model.decoder, patience=config.patience),
            optimiser=torch.optim.Adam(model.parameters(), config.rates.generator),
            order=_order(config),
            history=History(),
            data_digest=data.digest,
            device=device,
        )

    def optimisers(self, rates: Rates) -> list[tuple[torch.optim.Optimizer, float]]:
        """Each with the rate that it begins with."""
        return [(self.optimiser, rates.generator)]


TodState = GanState | VaeState


def begin(config: TodTrainConfig, data: TrainingTods, device: torch.device = CPU) -> TodState:
    """The state of the variant that is wanted, on *device*, before its first step."""
    kind: type[VaeState | GanState] = VaeState if config.variant is Variant.VAE else GanState
    return kind.begin(config, data, device)


def _averaged(model: AnyModule) -> AnyModule:
    return copy.deepcopy(model).requires_grad_(requires_grad=False).eval()


def _order(config: TodTrainConfig) -> BatchOrder:
    return BatchOrder.begin(events=config.count, batch=config.batch, random=np.random.default_rng(config.seed))
