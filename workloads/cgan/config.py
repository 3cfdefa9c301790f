"""The settings of a training, and the sizes of the two networks."""

from dataclasses import asdict, dataclass
from typing import Any

from idleq.workloads.training.options import check_training
from idleq.workloads.training.precision import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that decides the weights, together with the data set."""

    steps: int
    events: int
    seed: int = 1
    threads: int = 1
    precision: Precision = Precision.FLOAT32
    batch: int = 64
    latent: int = 64
    width: int = 16  # channels of the widest map; the narrower ones have multiples of it
    generator_rate: float = 1e-3
    discriminator_rate: float = 1e-3
    average_decay: float = 0.99  # of the averaged generator, whose weights are the result
    report_every: int = 10

    def __post_init__(self) -> None:
        check_training(steps=self.steps, threads=self.threads, seed=self.seed, batch=self.batch, events=self.events)

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be continued."""
        return asdict(self)


# About two minutes of one core, the data set included; long enough for showers to look like showers.
QUICK = {"steps": 600, "events": 12_000}
FULL = {"steps": 20_000, "events": 60_000}
