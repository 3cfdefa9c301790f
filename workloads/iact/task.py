"""One task of an array that simulates showers."""

from dataclasses import dataclass
from typing import Any

# Chunks of one task have numbers of their own, so that no two tasks draw the same showers.
TASK_CHUNKS = 10_000


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

    def identity(self) -> dict[str, Any]:
        """What decides its events."""
        return {
            "particle": self.particle,
            "split": self.split,
            "events": self.events,
            "seed": self.seed,
            "task": self.number,
        }
