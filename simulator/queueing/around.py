"""The policies on a machine of which parts are away now and then: each plans around what it knows of that."""

from abc import abstractmethod
from collections.abc import Sequence

from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.jobs import MainJob
from idleq.simulator.outages import Outage
from idleq.simulator.placement import Parts
from idleq.simulator.queueing.catalog import POLICIES
from idleq.simulator.queueing.compressing import Compressing
from idleq.simulator.queueing.policy import DEPTHS, Choosing, Slot
from idleq.simulator.queueing.slurm import SlurmLike, SlurmSettings
from idleq.simulator.queueing.whereabouts import Whereabouts


class Evading(Choosing):
    """A policy that knows what is away; jobs hold the processors that it chooses."""

    def __init__(self, processors: int, outages: Sequence[Outage]) -> None:
        self._where = Whereabouts(processors, outages)

    def chosen(self, job: MainJob) -> Parts:
        return self._where.chosen(job)

    def started(self, job: MainJob, now: int) -> None:
        self._where.started(job, now)

    def begun(self, job: MainJob, now: int) -> None:
        self._where.begun(job, now)

    def ended(self, job: MainJob, now: int) -> None:
        del now
        self._where.ended(job)

    def hit(self, outage: Outage) -> list[int]:
        """Return the jobs that hold any of the processors of *outage*."""
        return self._where.hit(outage)

    def __call__(self, waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
        del free, running  # it knows by name who holds what, and what is away
        return self._places(waiting, now, has_changed=self._where.look(now))

    @abstractmethod
    def _places(self, waiting: Sequence[MainJob], now: int, *, has_changed: bool) -> list[int]:
        """Choose as `Policy` says; *has_changed*: something has gone away or come back since the pass before."""


class Around(Evading):
    """First come first served, EASY, EASY with the shortest first, and conservative backfilling, by their *depth*."""

    def __init__(
        self, processors: int, outages: Sequence[Outage], depth: int | None, *, shortest_first: bool = False
    ) -> None:
        super().__init__(processors, outages)
        self._depth, self._shortest_first = depth, shortest_first

    def _places(self, waiting: Sequence[MainJob], now: int, *, has_changed: bool) -> list[int]:
        del has_changed  # each pass plans anew
        profile, started = self._where.profile(), list[int]()
        reserved, order = 0, list(range(len(waiting)))
        while order:
            place = order.pop(0)
            job = waiting[place]
            start = profile.earliest(job.size, job.limit)
            if start == now and self._where.choose(job):
                profile.take(now, job.limit, job.size)
                started.append(place)
            elif self._depth is None or reserved < self._depth:
                reserved += 1
                if start is not None and start > now:
                    profile.take(start, job.limit, job.size)
                if self._shortest_first:
                    order.sort(key=lambda behind: waiting[behind].limit)
            elif self._depth == 0:
                break
        return started


class CompressingAround(Evading):
    """Keeps plans, and tries to move them forward whenever something has come back too."""

    def __init__(self, processors: int, outages: Sequence[Outage]) -> None:
        super().__init__(processors, outages)
        self._plans = Compressing()

    def _places(self, waiting: Sequence[MainJob], now: int, *, has_changed: bool) -> list[int]:
        if has_changed:
            self._plans.reconsider()
        started = []
        for place in self._plans.among(waiting, self._where.profile, now):
            if self._where.choose(waiting[place]):
                started.append(place)
            else:
                self._plans.forget(waiting[place])
        return started

    def started(self, job: MainJob, now: int) -> None:
        super().started(job, now)
        self._plans.started(job, now)

    def ended(self, job: MainJob, now: int) -> None:
        super().ended(job, now)
        self._plans.ended(job, now)

    def wake_at(self) -> int | None:
        return self._plans.wake_at()


class SlurmAround(Evading):
    """Looks behind the first that does not fit when something has gone or come back too."""

    def __init__(self, processors: int, outages: Sequence[Outage], settings: SlurmSettings) -> None:
        super().__init__(processors, outages)
        self._queue = SlurmLike(processors, settings)

    def _places(self, waiting: Sequence[MainJob], now: int, *, has_changed: bool) -> list[int]:
        if has_changed:
            self._queue.reconsider()
        free = self._where.idle(now).bit_count()
        return self._queue.among(waiting, free, self._where.profile, now, self._where.choose)

    def started(self, job: MainJob, now: int) -> None:
        super().started(job, now)
        self._queue.started(job, now)

    def ended(self, job: MainJob, now: int) -> None:
        super().ended(job, now)
        self._queue.ended(job, now)

    def wake_at(self) -> int | None:
        return self._queue.wake_at()


def evading(name: str, processors: int, outages: Sequence[Outage], settings: SlurmSettings | None = None) -> Evading:
    """Return a new policy for one queue on a machine with *outages*.

    Raises:
        ImpossibleParameters: there is none of that name.
    """
    if name in DEPTHS:
        return Around(processors, outages, DEPTHS[name], shortest_first=name == "easy-sjbf")
    match name:
        case "compressing":
            return CompressingAround(processors, outages)
        case "slurm":
            return SlurmAround(processors, outages, settings or SlurmSettings())
        case _:
            raise ImpossibleParameters(f"there is no policy {name!r}: it may be {', '.join(POLICIES)}")
