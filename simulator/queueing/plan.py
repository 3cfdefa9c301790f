"""The plan that a site shows: when each waiting job would start if every running one used its whole limit."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing.policy import Slot


class Profile:
    """Processors free from now on, as steps: free[i] from times[i] until times[i + 1], the last one for ever."""

    def __init__(self, now: int, free: int, running: Iterable[Slot]) -> None:
        """Begin with *free* at *now*; *running* is sorted, and gives its processors back at its limits.

        What guests have kept back beyond its limit is still there: it is taken to end next.
        """
        self.times = [now]
        self.free = [free]
        for end, _, size in running:
            if end > self.times[-1]:
                self.times.append(end)
                self.free.append(self.free[-1] + size)
            elif end > now or self.times[-1] > now:
                self.free[-1] += size
            else:
                self.times.append(now + 1)
                self.free.append(free + size)

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


class Plan:
    """When each of some waiting jobs is planned to start, none of them delaying one before it; more may be added at the end.

    Attributes:
        jobs: those it was made for, also any that find no place.
        planned: start, place among the jobs, and job: by start, then by place.
    """

    def __init__(self, free: int, running: Sequence[Slot], now: int) -> None:
        """Begin with *free* at *now*, and *running* as `Profile` has it."""
        profile = Profile(now, free, running)
        self._times, self._free = profile.times, profile.free
        self._size = self._limit = self._step = 0
        self.jobs: list[MainJob] = []
        self.planned: list[tuple[int, int, MainJob]] = []

    def add(self, jobs: Iterable[MainJob]) -> int | None:
        """Plan *jobs* behind those that are there; return the earliest of their starts, None if none finds a place."""
        times, free = self._times, self._free
        size, limit, step = self._size, self._limit, self._step
        new: list[tuple[int, int, MainJob]] = []
        for place, job in enumerate(jobs, len(self.jobs)):
            self.jobs.append(job)
            if job.size > free[-1]:
                continue  # the last step is the widest, and has no end
            # Who asks for no less than the one before finds no place before the other's.
            step = place_first(times, free, job.size, job.limit, step if job.size >= size and job.limit >= limit else 0)
            size, limit = job.size, job.limit
            new.append((times[step], place, job))
        self._size, self._limit, self._step = size, limit, step
        self.planned += new
        self.planned.sort()  # no two have one place
        return min(new)[0] if new else None

    def still_holds(self, now: int) -> bool:
        """Whether, if nothing else has happened, it would be the same if it were made *now*; if so, it is as if it had been."""
        times = self._times
        if now == times[0]:
            return True
        # Who might have started in between would now keep what it holds for longer than was planned.
        if (len(times) > 1 and times[1] <= now) or (self.planned and self.planned[0][0] == times[0]):
            return False
        times[0] = now
        return True
