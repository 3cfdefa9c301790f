"""What a run of the main queue comes to, in numbers that studies of this field give."""

from dataclasses import dataclass

import numpy as np

from idleq.simulator.table import Column, JobTable

TAU = 10
"""Seconds; jobs shorter than this count as so long in slowdowns, as in the SC'15 study."""

WARM_UP = 0.01
"""The share of the jobs, first to end, that is left out of the utilisation's span: the machine was empty before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """A whole run; times in seconds.

    Attributes:
        jobs: how many there were; all of them count for waits and slowdowns.
        mean_wait: from submit to start.
        median_wait: half of the jobs waited less.
        p95_wait: 95 of 100 jobs waited less.
        max_wait: the longest.
        mean_bounded_slowdown: of max(1, (wait + run) / max(tau, run)).
        tau: see there.
        utilisation: of the processors between *measured_from* and *measured_until*.
        measured_from: when the warm-up was over: the first hundredth of the jobs had ended.
        measured_until: the last submit; the drain behind it is left out.
        makespan: from the first submit to the last end.
        last_end: when the last job ended, on the log's clock.
        backfilled: the share of jobs that started before one that had come in earlier.
        passes: how often the policy was asked.
    """

    jobs: int
    mean_wait: float
    median_wait: float
    p95_wait: float
    max_wait: int
    mean_bounded_slowdown: float
    tau: int
    utilisation: float
    measured_from: int
    measured_until: int
    makespan: int
    last_end: int
    backfilled: float
    passes: int


def metrics(table: JobTable, start: Column, processors: int, passes: int, tau: int = TAU) -> Metrics:
    """Sum up a run in which the jobs of *table* began at *start*."""
    wait = start - table.submit
    end = start + table.run
    slowdown = np.maximum(1.0, (wait + table.run) / np.maximum(tau, table.run))
    first_end, last_submit = int(np.sort(end)[int(len(table) * WARM_UP)]), int(table.submit[-1])
    overtaken = np.maximum.accumulate(start)
    return Metrics(
        jobs=len(table),
        mean_wait=float(wait.mean()),
        median_wait=float(np.median(wait)),
        p95_wait=float(np.percentile(wait, 95)),
        max_wait=int(wait.max()),
        mean_bounded_slowdown=float(slowdown.mean()),
        tau=tau,
        utilisation=_utilisation(table, start, end, processors, first_end, last_submit),
        measured_from=first_end,
        measured_until=max(first_end, last_submit),
        makespan=int(end.max() - table.submit[0]),
        last_end=int(end.max()),
        backfilled=float((start < overtaken).mean()),
        passes=passes,
    )


def _utilisation(table: JobTable, start: Column, end: Column, processors: int, begin: int, until: int) -> float:
    if until <= begin:
        return 0.0
    inside = np.maximum(0, np.minimum(end, until) - np.maximum(start, begin))
    return float((inside * table.size).sum() / ((until - begin) * processors))
