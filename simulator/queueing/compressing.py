"""Classic conservative backfilling: a reservation is made when a job comes in, kept, and only ever moved forward."""

from collections.abc import Callable, Sequence
from functools import partial

from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing.plan import Profile
from idleq.simulator.queueing.policy import Attentive, Slot


class Compressing(Attentive):
    """Each job has a planned start from its arrival on. When one ends early, all are tried again in order of arrival,
    each with the others in their places, and move forward where they can.
    """

    def __init__(self) -> None:
        self._planned: dict[int, int] = {}
        self._has_hole = False
        self._guess: int | None = None

    def __call__(self, waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
        return self.among(waiting, partial(Profile, now, free, running), now)

    def among(self, waiting: Sequence[MainJob], ahead: Callable[[], Profile], now: int) -> list[int]:
        """Do as `__call__`, where *ahead* says what is free from now on."""
        profile, planned = ahead(), self._planned
        self._guess = now + 1 if profile.has_overdue else None
        if not self._put_back(profile, waiting, now):
            # Guests held a main job up, or a node has failed, so that what was planned has no room: plan anew, in order.
            profile = ahead()
            planned.clear()
        if self._has_hole:
            self._compress(profile, waiting, now)
        for job in waiting:
            if job.id not in planned:
                planned[job.id] = _take_first(profile, job)
        started = [place for place, job in enumerate(waiting) if planned[job.id] <= now]
        return sorted(started, key=lambda place: planned[waiting[place].id])

    def started(self, job: MainJob, now: int) -> None:
        del now  # a plan has done its work
        self._planned.pop(job.id, None)

    def ended(self, job: MainJob, now: int) -> None:
        del job, now
        self._has_hole = True

    def reconsider(self) -> None:
        """Let the next pass try to move all plans forward."""
        self._has_hole = True

    def forget(self, job: MainJob) -> None:
        """Let *job*, which could not start after all, be planned anew."""
        self._planned.pop(job.id, None)

    def wake_at(self) -> int | None:
        # What waits for a job that is overdue is called when that has ended, not at every instant until then.
        return min((at for at in self._planned.values() if at != self._guess), default=None)

    def _put_back(self, profile: Profile, waiting: Sequence[MainJob], now: int) -> bool:
        """Take the planned jobs out of *profile*; whether there was room for all of them."""
        for job in waiting:
            if job.id in self._planned:
                profile.take(max(now, self._planned[job.id]), job.limit, job.size)
        return min(profile.free) >= 0

    def _compress(self, profile: Profile, waiting: Sequence[MainJob], now: int) -> None:
        self._has_hole = False
        planned = self._planned
        for job in waiting:
            before = planned.get(job.id)
            if before is not None and before > now:
                profile.take(before, job.limit, -job.size)
                planned[job.id] = _take_first(profile, job)


def _take_first(profile: Profile, job: MainJob) -> int:
    start = profile.earliest(job.size, job.limit)
    assert start is not None, "the last step is the whole machine, and no job is larger"
    profile.take(start, job.limit, job.size)
    return start
