"""What every variant has: an encoder, a decoder given the size, and a prior of codes, as one thing to train and to save."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from idleq.workloads.cvae.config import TrainConfig, Variant
from idleq.workloads.cvae.data import Batch
from idleq.workloads.iact.response import Response
from idleq.workloads.training.choices import variant_in


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """What must be known to build the model that fits given weights."""

    latent: int
    width: int
    variant: Variant = Variant.BELL

    @classmethod
    def of(cls, config: TrainConfig) -> Self:
        """That of a training."""
        return cls(latent=config.latent, width=config.width, variant=config.variant)

    def to_dict(self) -> dict[str, int | str]:
        """Plain values, for a file's header."""
        return {**asdict(self), "variant": str(self.variant)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(latent=values["latent"], width=values["width"], variant=variant_in(values, Variant))


class CodePrior(nn.Module, ABC):
    """Codes of showers, given the condition (B, 1)."""

    @abstractmethod
    def log_density(self, code: Tensor, condition: Tensor) -> Tensor:
        """Log p(code | condition) (B,), but for the normal's constant."""

    @abstractmethod
    def draw(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Normal noise (B, latent) -> codes."""


class Model(nn.Module, ABC):
    """All three; it carries the sizes that it was trained on.

    *encoder* takes images (B, 609) on the networks' scale and conditions (B, 1) to the mean and the log variance of the
    code (B, latent), *decoder* codes and sizes (B,) to light (B, 609).
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, prior: CodePrior, latent: int, log_quantiles: Tensor
    ) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior
        self.register_buffer("log_quantiles", log_quantiles)

    @abstractmethod
    def misfit(self, light: Tensor, batch: Batch) -> Tensor:
        """How far the decoder's light is from the images: their negative log likelihood (B,), but for constants."""

    def weights(self, batch: Batch) -> Tensor:
        """How much each image says in a step (B,), of its size alone: what is best given a size stays the best."""
        return torch.ones_like(batch.sizes)

    @abstractmethod
    def record(self, light: Tensor, response: Response, random: torch.Generator) -> Tensor:
        """The decoder's light (B, 609) -> images as the data set has them."""
