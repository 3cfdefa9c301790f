"""A queue as Slurm keeps it: priorities of several factors, jobs in their order, and a backfill pass now and then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from idleq.scheduler.nearest import did_you_mean
from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing.fairshare import Usage
from idleq.simulator.queueing.plan import Profile, place_first
from idleq.simulator.queueing.policy import Attentive, Slot
from idleq.simulator.table import JobTable

MINUTE = 60
DAY = 24 * 60 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSettings:
    """What a site sets in slurm.conf, under the names that it has there; times in seconds.

    Attributes:
        weight_age: for how long a job has waited, full after *max_age*.
        weight_size: for the share of the machine that it asks for.
        weight_qos: for its quality of service (the trace's queue), by *qos*.
        weight_fairshare: for how little its user has used lately.
        max_age: after so long a job gets no older.
        half_life: of what users have used.
        qos: the factor, 0 to 1, of each queue number; 0 for those not named.
        queue_depth: so many jobs are tried in order when something happens.
        bf_interval: the time between backfill passes.
        bf_max_job_test: so many jobs a backfill pass looks at.
        bf_window: a backfill pass plans no further ahead.
    """

    weight_age: int = 1000
    weight_size: int = 0
    weight_qos: int = 0
    weight_fairshare: int = 0
    max_age: int = 7 * DAY
    half_life: int = 7 * DAY
    qos: Mapping[int, float] = field(default_factory=dict)
    queue_depth: int = 100
    bf_interval: int = 30
    bf_max_job_test: int = 500
    bf_window: int = DAY

    def __post_init__(self) -> None:
        weights = (self.weight_age, self.weight_size, self.weight_qos, self.weight_fairshare)
        positive = (self.max_age, self.half_life, self.queue_depth, self.bf_interval, self.bf_max_job_test)
        if min(weights) < 0 or min(positive) < 1 or self.bf_window < MINUTE:
            raise ImpossibleParameters(
                "a Slurm-like queue needs weights of at least 0, ages, depths and intervals of at least 1, "
                f"and a bf_window of at least {MINUTE} seconds"
            )


def settings_from(given: Mapping[str, str]) -> SlurmSettings:
    """Return the settings that *given* names; qos.N=FACTOR names the factor of queue N.

    Raises:
        ImpossibleParameters: there is no such setting, or it needs another value.
    """
    known = [name for name in SlurmSettings.__dataclass_fields__ if name != "qos"]
    whole: dict[str, int] = {}
    qos: dict[int, float] = {}
    for key, value in given.items():
        kind, _, number = key.partition(".")
        try:
            if kind == "qos" and number:
                qos[int(number)] = _factor(value)
            elif key in known:
                whole[key] = int(value)
            else:
                has = f"it has {', '.join(known)} and qos.NUMBER{did_you_mean(key, known)}"
                raise ImpossibleParameters(f"--slurm has no {key}: {has}")
        except ValueError:
            raise ImpossibleParameters(f"--slurm {key} needs a number, not {value!r}") from None
    return SlurmSettings(**whole, qos=qos)


def _factor(text: str) -> float:
    factor = float(text)
    if not 0 <= factor <= 1:
        raise ValueError(text)
    return factor


def in_milliseconds(settings: SlurmSettings) -> SlurmSettings:
    """Return the same settings for a queue whose clock counts milliseconds."""
    return replace(
        settings,
        max_age=1000 * settings.max_age,
        half_life=1000 * settings.half_life,
        bf_interval=1000 * settings.bf_interval,
        bf_window=1000 * settings.bf_window,
    )


Fits = Callable[[MainJob], bool]
"""Says of a job for which there are enough processors whether it can have them, and keeps them for it if so."""


def _any(_: MainJob) -> bool:
    return True


class SlurmLike(Attentive):
    """Starts jobs by priority until one does not fit; every bf_interval, if anything has changed, backfills behind it."""

    def __init__(self, processors: int, settings: SlurmSettings | None = None) -> None:
        self._processors = processors
        self._settings = settings or SlurmSettings()
        self._usage = Usage(self._settings.half_life)
        self._backfilled_at = -1
        self._is_stale = False
        self._known: set[int] = set()

    def __call__(self, waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
        return self.among(waiting, free, partial(Profile, now, free, running), now)

    def among(
        self, waiting: Sequence[MainJob], free: int, ahead: Callable[[], Profile], now: int, fits: Fits = _any
    ) -> list[int]:
        """Do as `__call__`, where *ahead* says what is free from now on, and *fits* whether a job can have it."""
        settings = self._settings
        self._meet(waiting, now)
        order = self._by_priority(waiting, now)
        started: list[int] = []
        for place in order[: settings.queue_depth]:
            job = waiting[place]
            if job.size > free or not fits(job):
                break
            free -= job.size
            started.append(place)
        if now % settings.bf_interval == 0 and now > self._backfilled_at and (self._is_stale or started):
            self._backfilled_at, self._is_stale = now, False
            rest = order[len(started) : len(started) + settings.bf_max_job_test]
            profile = ahead()
            for place in started:
                profile.take(now, waiting[place].limit, waiting[place].size)
            started += self._backfilled(waiting, rest, profile, now, fits)
        return started

    def started(self, job: MainJob, now: int) -> None:
        self._usage.hold(job.user, job.size, now)
        self._known.discard(job.id)

    def ended(self, job: MainJob, now: int) -> None:
        self._usage.hold(job.user, -job.size, now)
        self._is_stale = True

    def reconsider(self) -> None:
        """Let the next time for it be one of a backfill pass."""
        self._is_stale = True

    def wake_at(self) -> int | None:
        if not self._is_stale:
            return None
        interval = self._settings.bf_interval
        return (self._last // interval + 1) * interval

    def _meet(self, waiting: Sequence[MainJob], now: int) -> None:
        """Notice jobs that have come in since the pass before."""
        self._last = now
        for job in reversed(waiting):
            if job.id in self._known:
                break
            self._known.add(job.id)
            self._usage.know(job.user, now)
            self._is_stale = True

    def _by_priority(self, waiting: Sequence[MainJob], now: int) -> list[int]:
        """Return the places, highest priority first, equal ones as they came in."""
        settings = self._settings
        fair = self._usage.factors(now) if settings.weight_fairshare else {}
        # Rounded, so that equal priorities are equal whatever floats make of them.
        priorities = [
            round(
                settings.weight_age * min(1.0, (now - job.submit) / settings.max_age)
                + settings.weight_size * job.size / self._processors
                + settings.weight_qos * settings.qos.get(job.queue, 0.0)
                + settings.weight_fairshare * fair.get(job.user, 1.0),
                6,
            )
            for job in waiting
        ]
        return sorted(range(len(waiting)), key=lambda place: -priorities[place])

    def _backfilled(
        self, waiting: Sequence[MainJob], rest: Sequence[int], profile: Profile, now: int, fits: Fits
    ) -> list[int]:
        """Return which of *rest* can start now without delaying what was planned before them."""
        latest = now + self._settings.bf_window
        started: list[int] = []
        for place in rest:
            job = waiting[place]
            start = profile.earliest(job.size, job.limit)
            if start is None or start > latest:
                continue
            place_first(profile.times, profile.free, job.size, job.limit)
            if start == now and fits(job):
                started.append(place)
        return started


def in_whole_minutes(table: JobTable) -> JobTable:
    """Return *table* with limits as Slurm keeps them: whole minutes, rounded up."""
    return table.with_limits(-(-table.limit // MINUTE) * MINUTE)
