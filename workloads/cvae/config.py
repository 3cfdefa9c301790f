"""The settings of a training."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from idleq.workloads.training.options import KeepsBack, check_training


class Variant(StrEnum):
    """What is trained."""

    BELL = "bell"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """How a variant is trained unless something else is asked for; *quick* and *full* hold steps and events."""

    latent: int
    width: int  # of the hidden layers; of `plain` in channels of convolutions
    rate: float
    quick: Mapping[str, int]
    full: Mapping[str, int]


# Quick is a few minutes of one core, the data set included. A step of `plain` takes twice as long: the same time is half as many.
USUAL = {
    Variant.BELL: Usual(
        latent=12,
        width=256,
        rate=2e-3,
        quick={"steps": 2_000, "events": 12_000},
        full={"steps": 20_000, "events": 60_000},
    ),
    Variant.PLAIN: Usual(
        latent=16,
        width=16,
        rate=1e-3,
        quick={"steps": 1_000, "events": 12_000},
        full={"steps": 10_000, "events": 60_000},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(KeepsBack):
    """Everything that decides the weights, together with the data set."""

    steps: int
    events: int
    variant: Variant = Variant.BELL
    seed: int = 1
    threads: int = 1
    batch: int = 128
    latent: int = USUAL[Variant.BELL].latent
    width: int = USUAL[Variant.BELL].width
    rate: float = USUAL[Variant.BELL].rate
    average_decay: float = 0.99  # of the averaged model, whose weights are the result
    largest_gradient: float = 50.0
    validation: float = 0.05  # of the events are kept from training, to choose the best weights by
    look_every: int = 200
    patience: int = 15  # looks without a better figure, after which nothing better is waited for
    report_every: int = 10

    def __post_init__(self) -> None:
        check_training(steps=self.steps, threads=self.threads, seed=self.seed, batch=self.batch, events=self.events)
        self.check_kept_back()

    @classmethod
    def of(cls, variant: Variant, **given: int) -> Self:
        """The usual one of a *variant*, but for what is *given*."""
        usual = USUAL[variant]
        own = {"latent": usual.latent, "width": usual.width, "rate": usual.rate}
        return cls(variant=variant, **{**own, **given})  # type: ignore[arg-type] # rates are no whole numbers

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be continued."""
        return {**asdict(self), "variant": str(self.variant)}
