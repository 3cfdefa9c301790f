"""The metrics of a training: what has been reported, and what is being averaged for the next report."""

import math
from dataclasses import dataclass, field
from typing import Any

from idleq.workloads.errors import WorkloadError


@dataclass(slots=True)
class History:
    """Mean metrics per report, oldest first."""

    reports: list[dict[str, float]] = field(default_factory=list)
    pending: list[dict[str, float]] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)  # on which steps were taken, in order

    def add(self, step: int, metrics: dict[str, float]) -> None:
        """The metrics of one step.

        Raises:
            WorkloadError: they are no numbers any more, and neither are the weights.
        """
        if not all(map(math.isfinite, metrics.values())):
            said = ", ".join(f"{name} {value}" for name, value in metrics.items())
            raise WorkloadError(f"the training has diverged: at step {step} its metrics are {said}; try another --seed")
        self.pending.append(metrics)

    def computed_on(self, device: str) -> None:
        """Steps are taken on *device* from now on."""
        if self.devices[-1:] != [device]:
            self.devices.append(device)

    def report(self, step: int) -> dict[str, float]:
        """The means since the last report, which this one ends."""
        means = {name: round(sum(one[name] for one in self.pending) / len(self.pending), 6) for name in self.pending[0]}
        self.reports.append({"step": step, **means})
        self.pending = []
        return means

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {"reports": self.reports, "pending": self.pending, "devices": self.devices}
