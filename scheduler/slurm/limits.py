"""What bounds a user's jobs at a place: how long one may run, how many there may be, and what grace they get."""

from collections.abc import Iterable
from dataclasses import dataclass

from idleq.scheduler.slurm.partitions import Partition
from idleq.scheduler.slurm.survey import Preemption, Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The least of all limits that hold at a place, and whose it is.

    Attributes:
        max_minutes: the longest time limit, None if there is none.
        max_jobs: how many jobs the user may have there, None if there is no limit.
        max_source, jobs_source: who says so.
    """

    max_minutes: int | None = None
    max_source: str = ""
    max_jobs: int | None = None
    jobs_source: str = ""

    @property
    def nothing_runs(self) -> str:
        """Whose limit lets no job run at all, "" if none does."""
        if self.max_minutes == 0:
            return self.max_source
        return self.jobs_source if self.max_jobs == 0 else ""


NO_LIMITS = Limits()


def limits_of(survey: Survey, partition: Partition, qos: str = "", account: str = "") -> Limits:
    """Return the limits in *partition*, under *qos* and *account* if they are named.

    Slurm's order of precedence can only loosen them: the least is always safe (https://slurm.schedmd.com/resource_limits.html).
    """
    its = [each for each in survey.qos if each.name in (qos, partition.qos)]
    mine = [each for each in survey.associations_for(partition, qos) if each.account == account or not account]
    times = [(partition.max_minutes, f"MaxTime of partition {partition.name}")]
    times += [(each.max_minutes, f"MaxWall of QOS {each.name}") for each in its]
    times += [(each.max_minutes, f"MaxWall of account {each.account}") for each in mine]
    counts = [(each.max_submit, f"MaxSubmitJobsPerUser of QOS {each.name}") for each in its]
    counts += [(each.max_jobs, f"MaxJobsPerUser of QOS {each.name}") for each in its]
    counts += [(each.max_submit, f"MaxSubmitJobs of account {each.account}") for each in mine]
    counts += [(each.max_jobs, f"MaxJobs of account {each.account}") for each in mine]
    minutes, max_source = _least(times)
    jobs, jobs_source = _least(counts)
    return Limits(max_minutes=minutes, max_source=max_source, max_jobs=jobs, jobs_source=jobs_source)


def grace_of(survey: Survey, partition: Partition, qos: str) -> tuple[int, str]:
    """Return the seconds from the signal to the end, and who gives them."""
    if survey.preemption is not Preemption.QOS:
        return partition.grace_s, f"partition {partition.name}"
    return max((each.grace_s for each in survey.qos if each.name == qos), default=0), f"QOS {qos}"


def _least(limits: Iterable[tuple[int | None, str]]) -> tuple[int | None, str]:
    """Return the smallest limit and whose it is; (None, "") if there is none."""
    there = [(amount, source) for amount, source in limits if amount is not None]
    return min(there, key=lambda limit: limit[0]) if there else (None, "")
