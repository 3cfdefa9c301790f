"""The metrics of a training: what has been reported, and what is being averaged for the next report."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class History:
    """Mean metrics per report, oldest first."""

    reports: list[dict[str, float]] = field(default_factory=list)
    pending: list[dict[str, float]] = field(default_factory=list)

    def add(self, metrics: dict[str, float]) -> None:
        """One step's metrics."""
        self.pending.append(metrics)

    def report(self, step: int) -> dict[str, float]:
        """The means since the last report, which this one ends."""
        means = {name: round(sum(one[name] for one in self.pending) / len(self.pending), 6) for name in self.pending[0]}
        self.reports.append({"step": step, **means})
        self.pending = []
        return means

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {"reports": self.reports, "pending": self.pending}
