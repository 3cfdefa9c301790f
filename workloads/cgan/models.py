"""What a variant brings: two networks, and what each of them is to make small when they meet over a batch.

A step needs nothing else of a variant; the modules that bring one are named in variants.py.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

import numpy.typing as npt
import torch
from torch import Tensor, nn

from idleq.workloads.cgan.config import TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.training.state import Choices

Loss = tuple[Tensor, dict[str, Tensor]]
"""What a network is to make small, and what is reported of it."""


class Generator(nn.Module, ABC):
    """A generator, which carries the sizes that it was trained on as the buffer *log_quantiles*."""

    @abstractmethod
    def images(self, classes: Tensor, random: torch.Generator) -> Tensor:
        """Cleaned images of *classes* (B,), as numbers per camera pixel (B, 609), on the CPU."""


class Meeting(Protocol):
    """Both networks over one batch. The discriminator's loss is asked for first; then it takes its step."""

    def discriminator_loss(self) -> Loss:
        """By which true images are told from made ones."""
        ...

    def generator_loss(self) -> Loss:
        """By which made images pass for true ones with the discriminator as it is now, whose weights stay."""
        ...


class Opponents(Protocol):
    """The networks of one training."""

    betas: ClassVar[tuple[float, float]]
    """Adam's, of both; none in the mean: with a moving opponent, momentum makes the two circle round each other."""

    @property
    def generator(self) -> Generator: ...
    @property
    def discriminator(self) -> nn.Module: ...
    def meet(self, config: TrainConfig, data: TrainingData, chosen: npt.NDArray[Any], random: Choices) -> Meeting:
        """Make images beside the events *chosen*, of classes drawn from *random*."""
        ...
