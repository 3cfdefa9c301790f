"""Where allocations go at a site: the partition and the QOS from which main jobs take nodes back, or windows where none is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from idleq.scheduler.core.commands import Mode
from idleq.scheduler.slurm.accounting import Qos
from idleq.scheduler.slurm.errors import SlurmUnfit
from idleq.scheduler.slurm.partitions import Partition
from idleq.scheduler.slurm.survey import Preemption, Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where allocations go, how they give way, and within what limits.

    Attributes:
        mode, partition, qos: what idleq is told; "" is Slurm's default.
        grace_s: from the signal to the end.
        max_minutes: the longest limit, None if there is none.
        max_jobs: how many jobs the user may have there, None if there is no limit.
        is_free_of_charge: whether what runs there is not charged.
        why_mode, why_partition, why_qos: reasons for people.
        grace_source, max_source, jobs_source: who says so.
    """

    mode: Mode
    partition: str
    why_mode: str
    why_partition: str
    qos: str = ""
    why_qos: str = ""
    grace_s: int = 0
    grace_source: str = ""
    max_minutes: int | None = None
    max_source: str = ""
    max_jobs: int | None = None
    jobs_source: str = ""
    is_free_of_charge: bool = False


def choose_place(survey: Survey) -> Place:
    """Return where allocations should go.

    Raises:
        SlurmUnfit: they can go nowhere, or would be in the way of main jobs without end.
    """
    if "associations" in survey.enforced and not survey.associations:
        raise SlurmUnfit(
            f"Slurm's accounting knows no account of {survey.user}, and refuses jobs without one:"
            f" the admin adds one (sacctmgr add user {survey.user} account=ACCOUNT)"
        )
    usable = [each for each in survey.partitions if survey.may_submit_to(each)]
    if not usable:
        raise SlurmUnfit(
            f"there is no partition in which {survey.user} may start jobs now (of {len(survey.partitions)}):"
            " `scontrol show partitions` has their State, AllowAccounts and RootOnly"
        )
    place = _preempted_by_partition(survey, usable) or _preempted_by_qos(survey, usable) or _windows(survey, usable)
    return _limited(survey, place)


def _preempted_by_partition(survey: Survey, usable: Sequence[Partition]) -> Place | None:
    if survey.preemption is not Preemption.PARTITIONS:
        return None
    low = [each for each in usable if survey.preempting(each)]
    if not low:
        return None
    best = min(low, key=lambda each: (each.tier, -each.node_count, -each.grace_s, each.name))
    above = survey.preempting(best)
    names = " and ".join(sorted(each.name for each in above))
    place = Place(
        mode=Mode.PREEMPTIBLE,
        partition=best.name,
        why_mode=f"Main jobs take their nodes back by themselves (PreemptType=preempt/partition_prio, {best.preempt_mode}).",
        why_partition=f"Its tier is {best.tier}: jobs in {names} preempt what runs there, on {best.node_count} nodes.",
        grace_s=best.grace_s,
        grace_source=f"partition {best.name}",
    )
    free = next((each for each in _open_qos(survey, best) if each.usage_factor == 0), None)
    return place if free is None else _with_qos(place, free)


def _preempted_by_qos(survey: Survey, usable: Sequence[Partition]) -> Place | None:
    if survey.preemption is not Preemption.QOS:
        return None
    partition = _largest(usable)
    low = [each for each in _open_qos(survey, partition) if survey.gives_way(each)]
    if not low:
        return None
    best = min(low, key=lambda each: (each.usage_factor, -each.grace_s, each.name))
    above = " and ".join(sorted(each.name for each in survey.qos if best.name in each.preempts))
    place = Place(
        mode=Mode.PREEMPTIBLE,
        partition=partition.name,
        why_mode="Main jobs take their nodes back by themselves (PreemptType=preempt/qos).",
        why_partition=_why_largest(partition),
        grace_s=best.grace_s,
        grace_source=f"QOS {best.name}",
    )
    place = _with_qos(place, best)
    return replace(place, why_qos=f"Jobs of {above} preempt its jobs. {place.why_qos}")


def _windows(survey: Survey, usable: Sequence[Partition]) -> Place:
    """Return where windows go: no longer than the gap by the plan, since nobody takes the nodes back."""
    if "sched/backfill" not in survey.settings.get("SchedulerType", ""):
        raise SlurmUnfit(
            "main jobs do not take nodes back from guests here (see `idleq doctor`), and without a plan (SchedulerType is"
            " not sched/backfill) guests could not leave before them: guests would be in the way"
        )
    partition = _largest(usable)
    why = {
        Preemption.NONE: "Slurm preempts nobody here (PreemptType is not set)",
        Preemption.PARTITIONS: f"{survey.user} may use no partition whose jobs are cancelled or requeued for others",
        Preemption.QOS: f"{survey.user} may use no QOS whose jobs are cancelled or requeued for others",
    }[survey.preemption]
    place = Place(
        mode=Mode.WINDOW,
        partition=partition.name,
        why_mode=f"{why}, so allocations are exactly as long as the plan leaves a node free.",
        why_partition=_why_largest(partition),
    )
    free = next((each for each in _open_qos(survey, partition) if each.usage_factor == 0), None)
    return place if free is None else _with_qos(place, free)


def _with_qos(place: Place, qos: Qos) -> Place:
    is_free = qos.usage_factor == 0
    charge = "What runs under it is not charged." if is_free else f"It is charged at {qos.usage_factor:g} of the usual."
    return replace(place, qos=qos.name, why_qos=charge, is_free_of_charge=is_free)


def _open_qos(survey: Survey, partition: Partition) -> Iterable[Qos]:
    """Yield the QOSs under which the user may submit to *partition*."""
    for qos in survey.qos:
        is_let_in = "ALL" in partition.qos_allowed or qos.name in partition.qos_allowed
        if survey.may_use(qos) and is_let_in and qos.name not in partition.qos_denied:
            yield qos


def _largest(usable: Sequence[Partition]) -> Partition:
    return min(usable, key=lambda each: (-each.node_count, not each.is_default, each.name))


def _why_largest(partition: Partition) -> str:
    return f"It has the most nodes of those that are open to you: {partition.node_count}."


def _limited(survey: Survey, place: Place) -> Place:
    """Return *place* with the least of all limits that hold there.

    Raises:
        SlurmUnfit: not even a minute is allowed.
    """
    partition = next(each for each in survey.partitions if each.name == place.partition)
    qos = [each for each in survey.qos if each.name in (place.qos, partition.qos)]
    mine = [each for each in survey.associations if each.partition in ("", partition.name)]
    times = [(partition.max_minutes, f"MaxTime of partition {partition.name}")]
    times += [(each.max_minutes, f"MaxWall of QOS {each.name}") for each in qos]
    times += [(each.max_minutes, f"MaxWall of account {each.account}") for each in mine]
    counts = [(each.max_submit, f"MaxSubmitJobsPerUser of QOS {each.name}") for each in qos]
    counts += [(each.max_jobs, f"MaxJobsPerUser of QOS {each.name}") for each in qos]
    counts += [(each.max_submit, f"MaxSubmitJobs of account {each.account}") for each in mine]
    counts += [(each.max_jobs, f"MaxJobs of account {each.account}") for each in mine]
    minutes, max_source = _least(times)
    jobs, jobs_source = _least(counts)
    if minutes == 0 or jobs == 0:
        raise SlurmUnfit(f"no job may run there: {max_source if minutes == 0 else jobs_source} is 0")
    return replace(place, max_minutes=minutes, max_source=max_source, max_jobs=jobs, jobs_source=jobs_source)


def _least(limits: Iterable[tuple[int | None, str]]) -> tuple[int | None, str]:
    """Return the smallest limit and whose it is; (None, "") if there is none."""
    there = [(amount, source) for amount, source in limits if amount is not None]
    return min(there, key=lambda limit: limit[0]) if there else (None, "")
