"""Who is on which processors of a machine of which parts are away now and then, and what is known of that beforehand."""

from collections.abc import Sequence

from idleq.simulator.jobs import MainJob
from idleq.simulator.outages import Kind, Mask, Outage, down_at
from idleq.simulator.placement import Parts
from idleq.simulator.queueing.named import lowest
from idleq.simulator.queueing.plan import Profile


class Whereabouts:
    """Knows reservations from the start, drains and outages once they have begun, with their ends.

    Jobs hold certain processors, the lowest that no reservation takes before their limits.
    """

    def __init__(self, processors: int, outages: Sequence[Outage]) -> None:
        self._all: Mask = (1 << processors) - 1
        self._outages = outages
        self._running: dict[int, tuple[int, Mask]] = {}
        self._chosen: dict[int, Mask] = {}
        self._now = -1
        self._known: list[Outage] = []
        self._left: Mask = 0

    def look(self, now: int) -> bool:
        """Begin a pass at *now*; whether anything has gone away or come back since the one before."""
        before, self._now = self._now, now
        self._known = [one for one in self._outages if now < one.until and (one.begin <= now or _is_announced(one))]
        self._left = self.idle(now)
        return any(before < one.begin <= now or before < one.until <= now for one in self._outages)

    def choose(self, job: MainJob) -> bool:
        """Give *job* processors in this pass, if enough are left on which no reservation cuts it short; whether it got them."""
        usable = self._left & ~_reserved_before(self._known, self._now, self._now + job.limit)
        if usable.bit_count() < job.size:
            return False
        taken = self._chosen[job.id] = lowest(usable, job.size)
        self._left &= ~taken
        return True

    def chosen(self, job: MainJob) -> Parts:
        """Return which processors *job* gets, which is about to start, or has, which runs."""
        mask = self._chosen[job.id] if job.id in self._chosen else self._running[job.id][1]
        return tuple((number, 1) for number in range(mask.bit_length()) if mask >> number & 1)

    def started(self, job: MainJob, now: int) -> None:
        """Take note that *job* holds what was chosen for it."""
        self._running[job.id] = (now + job.limit, self._chosen.pop(job.id))

    def begun(self, job: MainJob, now: int) -> None:
        """Take note that *job*, which holds its processors already, runs from *now* on."""
        self._running[job.id] = (now + job.limit, self._running[job.id][1])

    def ended(self, job: MainJob) -> None:
        """Take note that *job* holds nothing any more."""
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

    def profile(self) -> Profile:
        """Return how many processors are free from this pass on, as far as it is known, before any job of it starts."""
        now = self._now
        # One that guests keep back beyond its limit is still there, and is taken to end next.
        ends = [(max(end, now + 1), mask) for end, mask in self._running.values()]
        profile = Profile(now, self.idle(now).bit_count(), ())
        profile.has_overdue = any(end <= now for end, _ in self._running.values())
        moments = {end for end, _ in ends} | {at for one in self._known for at in (one.begin, one.until)}
        for at in sorted(moment for moment in moments if moment > now):
            usable = self._all & ~down_at(self._known, at)
            for end, mask in ends:
                if end > at:
                    usable &= ~mask
            profile.times.append(at)
            profile.free.append(usable.bit_count())
        return profile


def _is_announced(outage: Outage) -> bool:
    return outage.kind is Kind.RESERVATION


def _reserved_before(known: Sequence[Outage], now: int, end: int) -> Mask:
    """Return the processors of reservations that begin before *end*."""
    mask = 0
    for one in known:
        if now < one.begin < end:
            mask |= one.processors
    return mask
