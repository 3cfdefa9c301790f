"""EASY backfilling whose reservation names processors: what a job runs on decides who may overtake it."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from idleq.simulator.jobs import MainJob
from idleq.simulator.placement import Parts
from idleq.simulator.queueing.policy import Choosing, Slot

Mask = int
"""A set of processors: bit n is processor n. Whole numbers of any length, so that sets of thousands are one operation."""


class NamedEasy(Choosing):
    """Gives every job the lowest free processors, and the first that does not fit the lowest that are free at its start.

    A job that would end after that start can have any others only, even where as many would be left over. So many processors
    as *node_cores* say are a node.
    """

    def __init__(self, processors: int, *, shortest_first: bool = False, node_cores: int = 1) -> None:
        self._all: Mask = (1 << processors) - 1
        self._node_cores = node_cores
        self._kept_back: set[int] = set()
        self._shortest_first = shortest_first
        self._running: dict[int, tuple[int, Mask]] = {}
        self._chosen: dict[int, Mask] = {}

    def __call__(self, waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
        del free, running  # it knows by name who holds what
        still = sorted((end, mask) for job, (end, mask) in self._running.items() if end > now or job in self._kept_back)
        idle = self._all
        for _, mask in still:
            idle &= ~mask
        started: list[int] = []
        for place, job in enumerate(waiting):
            if job.size > idle.bit_count():
                break
            taken = self._take(job, idle)
            idle &= ~taken
            still.append((now + job.limit, taken))
            started.append(place)
        if len(started) < len(waiting) and idle:
            shadow, reserved = _reserved(waiting[len(started)].size, idle, sorted(still))
            self._backfill(waiting, started, idle, shadow - now, reserved)
        return started

    def started(self, job: MainJob, now: int) -> None:
        self._running[job.id] = (now + job.limit, self._chosen.pop(job.id))

    def kept_back(self, job: MainJob) -> None:
        self._kept_back.add(job.id)

    def begun(self, job: MainJob, now: int) -> None:
        self._kept_back.discard(job.id)
        self._running[job.id] = (now + job.limit, self._running[job.id][1])

    def ended(self, job: MainJob, now: int) -> None:
        del now
        self._kept_back.discard(job.id)
        del self._running[job.id]

    def chosen(self, job: MainJob) -> Parts:
        mask = self._chosen[job.id] if job.id in self._chosen else self._running[job.id][1]
        numbers = (number for number in range(mask.bit_length()) if mask >> number & 1)
        return tuple(Counter(number // self._node_cores for number in numbers).items())

    def _take(self, job: MainJob, usable: Mask) -> Mask:
        taken = self._chosen[job.id] = lowest(usable, job.size)
        return taken

    def _backfill(
        self, waiting: Sequence[MainJob], started: list[int], idle: Mask, latest: int, reserved: Mask
    ) -> None:
        places = list(range(len(started) + 1, len(waiting)))
        if self._shortest_first:
            places.sort(key=lambda place: waiting[place].limit)
        for place in places:
            job = waiting[place]
            usable = idle if job.limit <= latest else idle & ~reserved
            if job.size <= usable.bit_count():
                idle &= ~self._take(job, usable)
                started.append(place)
            if not idle:
                break


def _reserved(size: int, idle: Mask, running: Sequence[tuple[int, Mask]]) -> tuple[int, Mask]:
    """Return when *size* processors are free by the limits of *running*, and the lowest of those that are so then."""
    shadow = 0
    for end, mask in running:
        if idle.bit_count() >= size and end > shadow:
            break
        shadow = end
        idle |= mask
    return shadow, lowest(idle, size)


def lowest(mask: Mask, count: int) -> Mask:
    """Return the *count* lowest members of *mask*, which has so many."""
    width = bisect_left(range(mask.bit_length() + 1), count, key=lambda bits: (mask & ((1 << bits) - 1)).bit_count())
    return mask & ((1 << width) - 1)
