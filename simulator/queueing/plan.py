"""The plan that a site shows: when each waiting job would start if every running one used its whole limit."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing.policy import Slot


class Profile:
    """Processors free from now on, as steps: free[i] from times[i] until times[i + 1], the last one for ever.

    Attributes:
        has_overdue: whether a job is still there beyond its limit, as guests have kept it back; it is taken to end next, and nobody
            knows when that is.
    """

    def __init__(self, now: int, free: int, running: Iterable[Slot]) -> None:
        """Begin with *free* at *now*; *running* is sorted, and gives its processors back at its limits."""
        self.times = [now]
        self.free = [free]
        self.has_overdue = False
        for end, _, size in running:
            if end > self.times[-1]:
                self.times.append(end)
                self.free.append(self.free[-1] + size)
            elif end > now or self.times[-1] > now:
                self.free[-1] += size
            else:
                self.times.append(now + 1)
                self.free.append(free + size)
                self.has_overdue = True

    def earliest(self, size: int, duration: int) -> int | None:
        """Return the first time from which *size* is free for *duration*, None if there is none."""
        start: int | None = None
        until = 0
        for at, free in zip(self.times, self.free, strict=True):
            if start is not None and at >= until:
                return start
            if free < size:
                start = None
            elif start is None:
                start, until = at, at + duration
        return start

    def fits_now(self, size: int, duration: int) -> bool:
        """Return whether *size* is free from now on for *duration*."""
        return min(self.free[: bisect_left(self.times, self.times[0] + duration, 1)]) >= size

    def take(self, start: int, duration: int, size: int) -> None:
        """Take *size* out from *start* on for *duration*."""
        first, last = self._step_at(start), self._step_at(start + duration)
        self.free[first:last] = [free - size for free in self.free[first:last]]

    def _step_at(self, at: int) -> int:
        """Return the step that begins at *at*, made if there is none."""
        step = bisect_left(self.times, at)
        if step == len(self.times) or self.times[step] != at:
            self.times.insert(step, at)
            self.free.insert(step, self.free[step - 1])
        return step


def place_first(times: list[int], free: list[int], size: int, duration: int, begin: int = 0) -> int:
    """Take *size* for *duration* out of the steps at the first place that has it, and return the step that it begins in.

    Steps are as in `Profile`; the last one is wide enough for every job. There is no such place before the step *begin*.
    """
    after = until = 0
    while not after:
        while free[begin] < size:
            begin += 1
        until = times[begin] + duration
        behind = bisect_left(times, until, begin + 1)
        for step in range(begin + 1, behind):
            if free[step] < size:
                begin = step + 1
                break
        else:
            after = behind
    if after == len(times) or times[after] != until:
        times.insert(after, until)
        free.insert(after, free[after - 1])
    for step in range(begin, after):
        free[step] -= size
    return begin


def plan(waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[tuple[int, MainJob]]:
    """Return when each of *waiting* is planned to start, none of them delaying one before it; by start, then by place."""
    profile = Profile(now, free, running)
    times, left = profile.times, profile.free
    planned: list[tuple[int, int, MainJob]] = []
    size = limit = begin = 0
    for place, job in enumerate(waiting):
        if job.size > left[-1]:
            continue  # the last step is the widest, and has no end
        # Who asks for no less than the one before finds no place before the other's.
        begin = place_first(times, left, job.size, job.limit, begin if job.size >= size and job.limit >= limit else 0)
        size, limit = job.size, job.limit
        planned.append((times[begin], place, job))
    planned.sort()  # no two have one place
    return [(start, job) for start, _, job in planned]
