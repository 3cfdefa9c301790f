"""What guests cost main jobs: per job against its bound, and over shaken replications against the run without guests."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from statistics import NormalDist, mean, stdev

from idleq.ids import Millis
from idleq.scheduler.core.facts import Fact
from idleq.simulator.events import MainStarted
from idleq.simulator.jobs import MainJob

CONFIDENCE = 0.95
FEW_FREEDOMS = {1: 12.7062, 2: 4.3027}
"""Student's quantiles where the expansion is not good enough."""


@dataclass(slots=True)
class HarmWatch:
    """Notes what main jobs waited for guests; listens to an experiment.

    Attributes:
        waited: of each job that found guests: what it waited, and the most that it might.
    """

    waited: dict[int, tuple[Millis, Millis]] = field(default_factory=dict)

    def saw_facts(self, _at: Millis, _facts: tuple[Fact, ...], /) -> None:
        """Nothing: the world says what main jobs waited."""

    def saw_start(self, _at: Millis, started: MainStarted, /) -> None:
        """Count *started* if it found guests."""
        if started.left:
            self.waited[started.job.id] = (started.waited_ms, started.bound_ms)

    def saw_kill(self, _at: Millis, _job: MainJob, /) -> None:
        """Nothing: what it waited for guests, it waited."""


def over_bound(waited: Mapping[int, tuple[Millis, Millis]]) -> list[int]:
    """Return the main jobs that waited longer for guests than they may."""
    return [job for job, (waited_ms, bound_ms) in waited.items() if waited_ms > bound_ms]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and what it may be off by, at 95 %.

    Attributes:
        mean: of all values.
        half_width: the interval is mean - half_width to mean + half_width; None for a single value.
        count: how many values.
    """

    mean: float
    half_width: float | None
    count: int

    @property
    def holds_zero(self) -> bool:
        """Whether nothing but chance need have made it."""
        return self.half_width is not None and abs(self.mean) <= self.half_width


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of *values* with its 95 % interval, by Student's distribution."""
    if len(values) == 1:
        return Interval(mean=values[0], half_width=None, count=1)
    error = stdev(values) / sqrt(len(values))
    return Interval(mean=mean(values), half_width=_student(len(values) - 1) * error, count=len(values))


def _student(freedom: int) -> float:
    """Return Student's two-sided 95 % quantile by Hill's expansion of it about the normal one; right to 1 % from 3 on."""
    if freedom in FEW_FREEDOMS:
        return FEW_FREEDOMS[freedom]
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def shaken(jobs: Iterable[MainJob], seed: int, most_ms: int = 60_000) -> list[MainJob]:
    """Return *jobs* with each submit later by up to *most_ms*, by submit: what might as well have happened.

    A schedule is chaotic: seconds decide who is backfilled. A difference that is no more than what shaking makes is none
    (Tsafrir, Ouaknine, Feitelson, MASCOTS 2007).
    """
    draw = random.Random(f"{seed}/shake")
    moved = [replace(job, submit=job.submit + draw.randrange(most_ms + 1)) for job in jobs]
    return sorted(moved, key=lambda job: (job.submit, job.id))
