"""Cores, memory and GPUs: what nodes have, jobs ask for and allocations hold."""

from msgspec import Struct


class Resources(Struct, frozen=True, gc=False):
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

    # What is added to nothing, or taken away from itself, is most of what is reckoned here, and needs no new value.

    def __add__(self, other: "Resources") -> "Resources":
        if self is NOTHING:
            return other
        return Resources(self.cores + other.cores, self.memory + other.memory, self.gpus + other.gpus)

    def __sub__(self, other: "Resources") -> "Resources":
        if other is NOTHING:
            return self
        if other is self:
            return NOTHING
        return Resources(self.cores - other.cores, self.memory - other.memory, self.gpus - other.gpus)


NOTHING = Resources(0, 0, 0)
