"""One task of an array that simulates showers."""

from dataclasses import dataclass
from typing import Any

from idleq.workloads.iact.rules import RULES

# Chunks of one task have numbers of their own, so that no two tasks draw the same showers.
TASK_CHUNKS = 10_000

# What the manifests of all tasks are called.
MANIFESTS = "*-seed*-*.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one task makes."""

    particle: str
    split: str
    events: int
    seed: int
    number: int

    @property
    def file(self) -> str:
        """Its file."""
        return f"{self.particle}-{self.split}-seed{self.seed}-{self.number:05d}.parquet"

    @property
    def manifest(self) -> str:
        """What lies beside its file: one for each task, so that two nodes never write the same one."""
        return f"{self.file.removesuffix('.parquet')}.json"

    def made_for(self) -> dict[str, Any]:
        """What a file must have been made for to be this task's."""
        return {**self.identity(), "rules": RULES}

    def identity(self) -> dict[str, Any]:
        """What decides its events."""
        return {
            "particle": self.particle,
            "split": self.split,
            "events": self.events,
            "seed": self.seed,
            "task": self.number,
        }
