"""The settings of a training, and the sizes of the two networks."""

from dataclasses import asdict, dataclass
from typing import Any

from idleq.workloads.training.options import check_training


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that decides the weights, together with the data set."""

    steps: int
    events: int
    seed: int = 1
    threads: int = 1
    batch: int = 64
    latent: int = 64
    width: int = 16  # channels of the widest map; the narrower ones have multiples of it
    generator_rate: float = 2e-4
    discriminator_rate: float = 4e-4
    average_decay: float = 0.999  # of the averaged generator, whose weights are the result
    report_every: int = 10

    def __post_init__(self) -> None:
        check_training(steps=self.steps, threads=self.threads, seed=self.seed, batch=self.batch, events=self.events)

    def share_of_rate(self, step: int) -> float:
        """What part of the rates *step* takes: all of it in the first half, then less and less, to a hundredth."""
        return min(1.0, max(0.01, 2 * (1 - step / self.steps)))

    def decay_at(self, step: int) -> float:
        """The average's decay at *step*: it forgets quickly at first, so that a short training's is not its beginning."""
        return min(self.average_decay, (1 + step) / (10 + step))

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be continued."""
        return asdict(self)


# About two minutes of one core, the data set included; long enough for showers to look like showers.
QUICK = {"steps": 600, "events": 12_000}
FULL = {"steps": 20_000, "events": 60_000}
