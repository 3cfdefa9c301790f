"""The settings of a training, and the sizes of the networks."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from idleq.workloads.errors import BadOption
from idleq.workloads.training.choices import variant_in
from idleq.workloads.training.options import KeepsBack, check_training
from idleq.workloads.training.precision import Precision


class Variant(StrEnum):
    """What is trained."""

    BELL = "bell"
    CONVOLUTIONAL = "convolutional"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """What must be known to build the generator that fits given weights."""

    variant: Variant
    latent: int
    width: int  # of the layers; of the convolutions those of the widest map, the narrower ones have multiples of it

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a file's header."""
        return {**asdict(self), "variant": str(self.variant)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(variant=variant_in(values, Variant), latent=values["latent"], width=values["width"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How far a step goes, and how long an average remembers."""

    generator: float
    discriminator: float
    average_decay: float
    steady: float  # the share of all steps before the rates fall, in a line to a hundredth

    def share_at(self, progress: float) -> float:
        """What is left of the rates when *progress* of all steps are done."""
        return 1.0 if progress <= self.steady or self.steady >= 1 else max(0.01, (1 - progress) / (1 - self.steady))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """How a variant is trained unless something else is asked for; *quick* and *full* hold steps and events."""

    model: ModelSize
    rates: Rates
    batch: int
    quick: Mapping[str, int]
    full: Mapping[str, int]


# Quick is about two minutes of one core, the data set included; long enough for showers to look like showers.
USUAL = {
    Variant.BELL: Usual(
        model=ModelSize(variant=Variant.BELL, latent=16, width=128),
        rates=Rates(generator=3e-4, discriminator=1e-3, average_decay=0.999, steady=0.2),
        batch=256,
        quick={"steps": 600, "events": 12_000},
        full={"steps": 6_000, "events": 60_000},
    ),
    Variant.CONVOLUTIONAL: Usual(
        model=ModelSize(variant=Variant.CONVOLUTIONAL, latent=64, width=16),
        rates=Rates(generator=1e-3, discriminator=1e-3, average_decay=0.99, steady=1.0),
        batch=64,
        quick={"steps": 600, "events": 12_000},
        full={"steps": 6_000, "events": 60_000},
    ),
}

SETTLED = 0.2
"""What is left of the rates when the wandering is over."""

VALIDATION = 0.05


def usual_batch(variant: Variant, events: int) -> int:
    """Where none was asked for: no more than there are *events* to train on, unless they are far too few for any."""
    return max(16, min(USUAL[variant].batch, events - math.ceil(events * VALIDATION)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(KeepsBack):
    """Everything that decides the weights, together with the data set."""

    steps: int
    events: int
    batch: int
    model: ModelSize = USUAL[Variant.BELL].model
    seed: int = 1
    threads: int = 1
    precision: Precision = Precision.FLOAT32
    smoothness: float = 1.0  # how much a steep discriminator costs; the convolutions are spectrally normalised instead
    size_weight: float = 1.0  # how much it costs that another size is recorded than was drawn
    validation: float = VALIDATION  # of the events are kept from training, to choose the best weights by
    look_every: int = 250
    # Looks without a better figure, after which nothing better is waited for. The variant bell is looked at in the last sixth
    # of its steps only, 4 times of the usual 6,000: it never stops early below some 32,000.
    patience: int = 20
    report_every: int = 10

    def __post_init__(self) -> None:
        check_training(steps=self.steps, threads=self.threads, seed=self.seed, batch=self.batch, events=self.events)
        if self.variant is Variant.BELL and self.precision is not Precision.FLOAT32:
            raise BadOption(
                f"--precision {self.precision} is for --variant convolutional only: what the camera records and what is"
                " told of it has to be exact; leave it out"
            )
        self.check_kept_back()

    @property
    def variant(self) -> Variant:
        """What is trained."""
        return self.model.variant

    @property
    def rates(self) -> Rates:
        """The variant's rates."""
        return USUAL[self.variant].rates

    def is_looked_at(self, step: int) -> bool:
        """Whether the average is measured after *step*: now and then, once the rates have fallen, if they do.

        Before, a GAN wanders round what it is drawn to, and the best look of many is but the luckiest.
        """
        is_settled = self.rates.steady >= 1 or self.rates.share_at(step / self.steps) <= SETTLED
        return step == self.steps or (is_settled and step % self.look_every == 0)

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be continued."""
        return {
            **asdict(self),
            "variant": str(self.variant),
            "model": self.model.to_dict(),
            "rates": asdict(self.rates),
        }
