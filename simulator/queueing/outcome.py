"""What users of a queue feel: waits and slowdowns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from idleq.simulator.jobs import MainJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The whole queue in a few numbers.

    Attributes:
        jobs: how many started.
        mean_wait: from submit to start.
        max_wait: the longest such wait.
        mean_bounded_slowdown: of (wait + run) / max(tau, run), at least 1 for each job.
        makespan: when the last one ended.
    """

    jobs: int
    mean_wait: float
    max_wait: int
    mean_bounded_slowdown: float
    makespan: int


def outcome(jobs: Iterable[MainJob], starts: Mapping[int, int], tau: int = 10) -> Outcome:
    """Sum up *starts*; *tau* keeps the shortest jobs from ruling the mean slowdown (10 s in the SC'15 study)."""
    done = list(jobs)
    waits = [starts[job.id] - job.submit for job in done]
    slowdowns = [max(1.0, (wait + job.run) / max(tau, job.run)) for wait, job in zip(waits, done, strict=True)]
    return Outcome(
        jobs=len(done),
        mean_wait=sum(waits) / len(done),
        max_wait=max(waits),
        mean_bounded_slowdown=sum(slowdowns) / len(done),
        makespan=max(starts[job.id] + job.run for job in done),
    )
