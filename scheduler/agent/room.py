"""What the allocation has and what of it is handed out: cores, memory, GPUs, and which ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from idleq.ids import Fence, JobId
from idleq.scheduler.core.resources import NOTHING, Resources

Key = tuple[JobId, Fence]


@dataclass(frozen=True, slots=True)
class Share:
    """What one guest holds: how much, the cores it is bound to (empty: any), and its GPUs by the driver's names."""

    resources: Resources
    cores: frozenset[int]
    gpus: tuple[str, ...]


@dataclass(slots=True)
class Room:
    """Hands out *resources*.

    Attributes:
        resources: all there is.
        cores: the cores that guests are bound to; empty where the machine is shared with others who may use the same.
        gpus: the GPUs by the driver's names.
    """

    resources: Resources
    cores: frozenset[int]
    gpus: tuple[str, ...]
    _taken: dict[Key, Share] = field(default_factory=dict)

    @property
    def free(self) -> Resources:
        """What nobody holds."""
        taken = sum((share.resources for share in self._taken.values()), NOTHING)
        return self.resources - taken

    def take(self, key: Key, wanted: Resources) -> Share | None:
        """Hand out *wanted*; None, and nothing handed out, if there is not that much."""
        if not wanted.fits_in(self.free):
            return None
        busy_cores = {core for share in self._taken.values() for core in share.cores}
        busy_gpus = {gpu for share in self._taken.values() for gpu in share.gpus}
        cores = sorted(self.cores - busy_cores)[: wanted.cores]
        gpus = [gpu for gpu in self.gpus if gpu not in busy_gpus][: wanted.gpus]
        share = Share(wanted, frozenset(cores), tuple(gpus))
        self._taken[key] = share
        return share

    def give_back(self, key: Key) -> None:
        """The guest holds nothing any more."""
        self._taken.pop(key, None)


def room_of(resources: Resources, usable: Sequence[int], environment: Mapping[str, str]) -> Room:
    """Return the room of an allocation; *usable* are the cores that this process may use.

    Guests are bound to cores only where the allocation was given exactly its own (by Slurm, say): several allocations
    that each count on the same cores of one machine would all choose the first.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    names = [name for name in visible.split(",") if name] if visible is not None else map(str, range(resources.gpus))
    cores = frozenset(usable) if len(usable) == resources.cores else frozenset[int]()
    return Room(resources, cores, tuple(names))
