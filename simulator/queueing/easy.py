"""EASY backfilling: only the first job that does not fit has a reservation, of a number of processors, not of nodes."""

from collections.abc import Iterable, Sequence
from operator import itemgetter

from idleq.simulator.errors import JobTooLarge
from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing.fcfs import fcfs
from idleq.simulator.queueing.policy import Slot


def easy(waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
    """Start jobs in order as far as they fit, then those behind that do not delay the first that does not."""
    started = fcfs(waiting, free, running, now)
    head_place = len(started)
    if head_place == len(waiting):
        return started
    if started:
        running, free = beside_started(waiting, started, free, running, now)
    if free <= 0 or head_place + 1 == len(waiting):
        return started
    shadow, extra = reservation(waiting[head_place].size, free, running)
    latest = shadow - now
    for place in range(head_place + 1, len(waiting)):
        job = waiting[place]
        size = job.size
        if size > free:
            continue
        if job.limit > latest:
            if size > extra:
                continue
            extra -= size
        started.append(place)
        free -= size
        if free == 0:
            break
    return started


def easy_sjbf(waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
    """Do as `easy`, but of the jobs behind the first that does not fit try the one with the shortest limit first."""
    started = fcfs(waiting, free, running, now)
    head_place = len(started)
    if head_place == len(waiting):
        return started
    if started:
        running, free = beside_started(waiting, started, free, running, now)
    if free <= 0 or head_place + 1 == len(waiting):
        return started
    shadow, extra = reservation(waiting[head_place].size, free, running)
    latest = shadow - now
    small = [(job.limit, place) for place, job in enumerate(waiting) if job.size <= free and place > head_place]
    for limit, place in sorted(small):
        size = waiting[place].size
        if size > free:
            continue
        if limit > latest:
            if size > extra:
                continue
            extra -= size
        started.append(place)
        free -= size
        if free == 0:
            break
    return started


def beside_started(
    waiting: Sequence[MainJob], started: Iterable[int], free: int, running: Sequence[Slot], now: int
) -> tuple[list[Slot], int]:
    """Return what runs and what is free once the jobs at the places *started* run as well."""
    new = [(now + waiting[place].limit, place, waiting[place].size) for place in started]
    return sorted([*running, *new]), free - sum(map(itemgetter(2), new))


def reservation(size: int, free: int, running: Iterable[Slot]) -> tuple[int, int]:
    """Return when, by their limits, enough of *running* has ended for *size*, and how much is left over then."""
    shadow: int | None = None
    for end, _, released in running:
        if shadow is not None and end > shadow:
            break
        free += released
        if shadow is None and free >= size:
            shadow = end
    if shadow is None:
        raise JobTooLarge(f"a main job asks for {size} processors, and the machine has only {free}")
    return shadow, free - size
