"""First come first served, EASY and conservative backfilling on a machine of which parts are away now and then."""

from collections.abc import Sequence

from idleq.simulator.jobs import MainJob
from idleq.simulator.outages import Kind, Mask, Outage, down_at
from idleq.simulator.queueing.named import lowest
from idleq.simulator.queueing.plan import Profile
from idleq.simulator.queueing.policy import Attentive, Slot

DEPTHS = {"fcfs": 0, "easy": 1, "conservative": None}
"""How many jobs that do not fit get a reservation; None: all of them."""


class Around(Attentive):
    """Plans with what it knows: reservations from the start, drains and outages once they have begun, with their ends.

    Jobs hold certain processors, the lowest that no reservation takes before their limits.
    """

    def __init__(self, processors: int, outages: Sequence[Outage], depth: int | None) -> None:
        self._all: Mask = (1 << processors) - 1
        self._outages = outages
        self._depth = depth
        self._running: dict[int, tuple[int, Mask]] = {}
        self._chosen: dict[int, Mask] = {}

    def __call__(self, waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
        del free, running  # it knows by name who holds what, and what is away
        known = [one for one in self._outages if now < one.until and (one.begin <= now or one.kind is Kind.RESERVATION)]
        idle = self.idle(now)
        profile = self._profile(known, idle, now)
        started: list[int] = []
        reserved = 0
        for place, job in enumerate(waiting):
            start = profile.earliest(job.size, job.limit)
            usable = idle & ~_reserved_before(known, now, now + job.limit)
            if start == now and usable.bit_count() >= job.size:
                taken = self._chosen[job.id] = lowest(usable, job.size)
                idle &= ~taken
                profile.take(now, job.limit, job.size)
                started.append(place)
            elif self._depth is None or reserved < self._depth:
                reserved += 1
                if start is not None and start > now:
                    profile.take(start, job.limit, job.size)
            elif self._depth == 0:
                break
        return started

    def chosen(self, job: MainJob) -> list[int]:
        """Return which processors *job* gets, which is about to start."""
        mask = self._chosen[job.id]
        return [number for number in range(mask.bit_length()) if mask >> number & 1]

    def started(self, job: MainJob, now: int) -> None:
        self._running[job.id] = (now + job.limit, self._chosen.pop(job.id))

    def ended(self, job: MainJob, now: int) -> None:
        del now
        del self._running[job.id]

    def idle(self, now: int) -> Mask:
        """Return the processors that are there and that no job holds."""
        held = 0
        for _, mask in self._running.values():
            held |= mask
        return self._all & ~held & ~down_at(self._outages, now)

    def hit(self, outage: Outage) -> list[int]:
        """Return the jobs that hold any of the processors of *outage*."""
        return [job for job, (_, mask) in self._running.items() if mask & outage.processors]

    def _profile(self, known: Sequence[Outage], idle: Mask, now: int) -> Profile:
        profile = Profile(now, idle.bit_count(), ())
        moments = {end for end, _ in self._running.values()} | {m for one in known for m in (one.begin, one.until)}
        for at in sorted(moment for moment in moments if moment > now):
            usable = self._all & ~down_at(known, at)
            for end, mask in self._running.values():
                if end > at:
                    usable &= ~mask
            profile.times.append(at)
            profile.free.append(usable.bit_count())
        return profile


def _reserved_before(known: Sequence[Outage], now: int, end: int) -> Mask:
    """Return the processors of reservations that begin before *end*."""
    mask = 0
    for one in known:
        if now < one.begin < end:
            mask |= one.processors
    return mask
