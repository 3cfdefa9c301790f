"""The scheduler's plan: which waiting job it means to start when, and where.

Every backfill cycle begins by forgetting all planned starts (`_clear_job_estimates` in Slurm's backfill.c), so who asks in the middle
of one sees no plan, or half of it. A start that was seen is therefore kept until the job has gone without one over
`CYCLES_WITHOUT` whole cycles.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from idleq.ids import Millis
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord, instant

CYCLES_WITHOUT = 2
"""One may be the cycle that is being made; two that agree are believed."""

IsOurs = Callable[[JobRecord], bool]


@dataclass(frozen=True, slots=True)
class PlannedStart:
    """A waiting job's planned start.

    Attributes:
        start: when.
        nodes: where, as Slurm writes it.
        cycles_without: how many plans have been made since that did not have it.
    """

    start: Millis
    nodes: str
    cycles_without: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The planned starts of main jobs by their numbers, and when Slurm made the plan."""

    made_at: int | None
    starts: Mapping[int, PlannedStart]


def follow(previous: Plan | None, reading: Reading, is_ours: IsOurs) -> Plan:
    """Return the plan as it is believed after *reading*; the guests' own starts are no part of it."""
    waiting = [job for job in reading.jobs if job.is_waiting and not is_ours(job)]
    starts = {job.job_id: seen for job in waiting if (seen := _seen(job)) is not None}
    if previous is not None:
        is_new = reading.planned_at is None or reading.planned_at != previous.made_at
        for job in waiting:
            known = previous.starts.get(job.job_id)
            if known is None or job.job_id in starts:
                continue
            without = known.cycles_without + is_new
            if without < CYCLES_WITHOUT:
                starts[job.job_id] = replace(known, cycles_without=without)
    return Plan(reading.planned_at, starts)


def _seen(job: JobRecord) -> PlannedStart | None:
    """Return the start that Slurm names; without nodes it is a placeholder (limits, dependencies), not a plan."""
    if not job.scheduled_nodes or (start := instant(job.start_time)) is None:
        return None
    return PlannedStart(start, job.scheduled_nodes)
