"""The settings of a training, and the sizes of the two networks."""

from dataclasses import asdict, dataclass
from typing import Any

from idleq.workloads.errors import BadOption

MAX_STEPS = 100_000_000
MAX_THREADS = 256


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
    generator_rate: float = 1e-3
    discriminator_rate: float = 1e-3
    average_decay: float = 0.99  # of the averaged generator, whose weights are the result
    report_every: int = 10

    def __post_init__(self) -> None:
        _between("--steps", self.steps, 1, MAX_STEPS)
        _between("--threads", self.threads, 1, MAX_THREADS)
        _between("--seed", self.seed, 0, 2**63 - 1)
        _between("--batch", self.batch, 2, 65_536)
        if self.events < self.batch:
            raise BadOption(f"--events must be at least one batch ({self.batch}), not {self.events}")

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be continued."""
        return asdict(self)


# About two minutes of one core, the data set included; long enough for showers to look like showers.
QUICK = {"steps": 2_000, "events": 12_000}
FULL = {"steps": 20_000, "events": 60_000}


def _between(option: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise BadOption(f"{option} must be between {low} and {high}, not {value}")
