"""Cores, memory and GPUs: what nodes have, jobs ask for and allocations hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resources:
    """An amount of each countable resource.

    Attributes:
        cores: whole cores.
        memory: bytes.
        gpus: whole GPUs.
    """

    cores: int
    memory: int
    gpus: int = 0

    def fits_in(self, room: "Resources") -> bool:
        """Whether *room* has at least this much of everything."""
        return self.cores <= room.cores and self.memory <= room.memory and self.gpus <= room.gpus

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.cores + other.cores, self.memory + other.memory, self.gpus + other.gpus)

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(self.cores - other.cores, self.memory - other.memory, self.gpus - other.gpus)


NOTHING = Resources(0, 0, 0)
