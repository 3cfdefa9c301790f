"""The settings of a training."""

from dataclasses import asdict, dataclass
from typing import Any

from idleq.workloads.training.options import between, check_training
from idleq.workloads.training.precision import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that decides the weights and the figures, together with the data sets."""

    steps: int
    events: int  # of each particle to learn from
    validated: int  # of each particle to set the cut by
    judged: int  # of each particle to be measured by
    seed: int = 1
    threads: int = 1
    precision: Precision = Precision.FLOAT32
    batch: int = 128  # half of it of each particle
    width: int = 16
    rate: float = 2e-3
    decay: float = 0.02
    average_decay: float = 0.995
    look_every: int = 200
    patience: int = 10
    report_every: int = 10

    def __post_init__(self) -> None:
        check_training(steps=self.steps, threads=self.threads, seed=self.seed, batch=self.batch, events=self.events)
        between("--validated", self.validated, 10, 10_000_000)
        between("--judged", self.judged, 10, 10_000_000)

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be continued."""
        return asdict(self)


QUICK = {"steps": 1_000, "events": 6_000, "validated": 2_000, "judged": 3_000}
# More steps give no better cut: there are few table rows to learn from, and their images are soon known by heart.
FULL = {"steps": 3_000, "events": 40_000, "validated": 10_000, "judged": 20_000}
