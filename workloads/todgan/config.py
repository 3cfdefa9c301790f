"""The settings of a training on TODs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from idleq.workloads.errors import BadOption
from idleq.workloads.training.options import MAX_STEPS, MAX_THREADS, between
from idleq.workloads.training.precision import Precision

MAX_COUNT = 1_000_000


class Variant(StrEnum):
    """What is trained."""

    SLIDES = "slides"
    CONDITIONAL = "conditional"
    VAE = "vae"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How far a step goes, and how long an average remembers."""

    generator: float
    discriminator: float
    average_decay: float
    last_share: float = 1.0  # of the rates at the last step; between them and the first ones they fall in a line

    def at(self, rate: float, progress: float) -> float:
        """What *rate* has become when *progress* of all steps are done."""
        return rate * (1 + (self.last_share - 1) * progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """How a variant is trained unless something else is asked for; *quick* and *full* hold steps and TODs."""

    rates: Rates
    quick: Mapping[str, int]
    full: Mapping[str, int]


# About a minute of one core for the conditional variant, the data set included.
_QUICK = {"steps": 500, "count": 2_000, "looked_at": 600}
_FULL = {"steps": 20_000, "count": 20_000, "looked_at": 3_000}

USUAL = {
    # The slides name the optimisers; the rates are Keras's defaults, and no average is taken.
    Variant.SLIDES: Usual(rates=Rates(generator=1e-3, discriminator=1e-2, average_decay=0.0), quick=_QUICK, full=_FULL),
    Variant.CONDITIONAL: Usual(
        rates=Rates(generator=5e-3, discriminator=2e-3, average_decay=0.995, last_share=0.05),
        quick=_QUICK,
        full=_FULL,
    ),
    Variant.VAE: Usual(rates=Rates(generator=1e-3, discriminator=0.0, average_decay=0.99), quick=_QUICK, full=_FULL),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TodTrainConfig:
    """Everything that decides the weights, together with the TODs."""

    variant: Variant
    steps: int
    count: int
    seed: int = 1
    threads: int = 1
    precision: Precision = Precision.FLOAT32
    batch: int = 64
    alone_epochs: int = 2  # the slides' discriminator learns alone for so long
    extra_steps: int = 0  # and is given so many more steps for each of the generator's
    report_every: int = 10
    look_every: int = 100  # how often the weights are measured, to keep the best
    patience: int = 50  # looks without a better figure, after which nothing better is waited for
    looked_at: int = 3_000  # TODs that are set apart for that

    def __post_init__(self) -> None:
        between("--steps", self.steps, 1, MAX_STEPS)
        between("--threads", self.threads, 1, MAX_THREADS)
        between("--seed", self.seed, 0, 2**63 - 1)
        between("--batch", self.batch, 2, 65_536)
        between("--extra-steps", self.extra_steps, 0, 100)
        if self.variant is Variant.CONDITIONAL and self.precision is not Precision.FLOAT32:
            raise BadOption(
                f"--precision {self.precision} is not for the conditional variant: its time goes into Fourier transforms,"
                " which have to be exact; leave it out"
            )
        if not self.batch <= self.count <= MAX_COUNT:
            raise BadOption(f"--count must be between one batch ({self.batch}) and {MAX_COUNT}, not {self.count}")

    @property
    def rates(self) -> Rates:
        """The variant's rates."""
        return USUAL[self.variant].rates

    @property
    def alone_steps(self) -> int:
        """For how many steps the slides' discriminator learns alone."""
        return self.alone_epochs * (self.count // self.batch) if self.variant is Variant.SLIDES else 0

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be continued."""
        return {**asdict(self), "variant": str(self.variant), "rates": asdict(self.rates)}
