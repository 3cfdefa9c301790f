"""Where allocations go at a site: the partition and the QOS from which main jobs take nodes back, or windows where none is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from idleq.scheduler.core.commands import Mode
from idleq.scheduler.slurm.accounting import Qos
from idleq.scheduler.slurm.errors import SlurmUnfit
from idleq.scheduler.slurm.limits import NO_LIMITS, Limits, grace_of, limits_of
from idleq.scheduler.slurm.partitions import Partition
from idleq.scheduler.slurm.survey import Preemption, Survey

MANY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where allocations go, how they give way, and within what limits.

    Attributes:
        mode, partition, qos: what idleq is told; "" is Slurm's default.
        account: who is charged; "" is Slurm's default.
        grace_s: from the signal to the end.
        grace_source: who says so.
        limits: on jobs there.
        kept_waiting: the partitions or QOSs, by name, whose jobs take nothing back there although others do.
        is_free_of_charge: whether what runs there is not charged.
        why_mode, why_partition, why_qos, why_account: reasons for people.
    """

    mode: Mode
    partition: str
    why_mode: str
    why_partition: str
    qos: str = ""
    why_qos: str = ""
    account: str = ""
    why_account: str = ""
    grace_s: int = 0
    grace_source: str = ""
    limits: Limits = NO_LIMITS
    kept_waiting: tuple[str, ...] = ()
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
    grace_s, source = grace_of(survey, best, "")
    above = survey.preempting(best)
    names = " and ".join(sorted(each.name for each in above))
    place = Place(
        mode=Mode.PREEMPTIBLE,
        partition=best.name,
        why_mode=f"Main jobs take their nodes back by themselves (PreemptType=preempt/partition_prio, {best.preempt_mode}).",
        why_partition=f"Its tier is {best.tier}: jobs in {names} preempt what runs there, on {best.node_count} nodes.",
        grace_s=grace_s,
        grace_source=source,
        kept_waiting=tuple(f"partition {each.name}" for each in survey.kept_waiting(best)),
    )
    free = next((each for each in survey.open_qos(best) if each.usage_factor == 0), None)
    return place if free is None else _with_qos(place, free)


def _preempted_by_qos(survey: Survey, usable: Sequence[Partition]) -> Place | None:
    if survey.preemption is not Preemption.QOS:
        return None
    partition = _largest(usable)
    low = [each for each in survey.open_qos(partition) if survey.gives_way(each)]
    if not low:
        return None
    best = min(low, key=lambda each: (each.usage_factor, -each.grace_s, each.name))
    grace_s, source = grace_of(survey, partition, best.name)
    above = " and ".join(sorted(each.name for each in survey.qos if best.name in each.preempts))
    place = Place(
        mode=Mode.PREEMPTIBLE,
        partition=partition.name,
        why_mode="Main jobs take their nodes back by themselves (PreemptType=preempt/qos).",
        why_partition=_why_largest(partition),
        grace_s=grace_s,
        grace_source=source,
        kept_waiting=tuple(f"QOS {each.name}" for each in survey.qos_kept_waiting(best.name)),
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
    free = next((each for each in survey.open_qos(partition) if each.usage_factor == 0), None)
    return place if free is None else _with_qos(place, free)


def _with_qos(place: Place, qos: Qos) -> Place:
    is_free = qos.usage_factor == 0
    charge = "What runs under it is not charged." if is_free else f"It is charged at {qos.usage_factor:g} of the usual."
    return replace(place, qos=qos.name, why_qos=charge, is_free_of_charge=is_free)


def _largest(usable: Sequence[Partition]) -> Partition:
    return min(usable, key=lambda each: (-each.node_count, not each.is_default, each.name))


def _why_largest(partition: Partition) -> str:
    return f"It has the most nodes of those that are open to you: {partition.node_count}."


def _limited(survey: Survey, place: Place) -> Place:
    """Return *place* with its account, and with the least of all limits that hold there.

    Raises:
        SlurmUnfit: not even a minute is allowed.
    """
    partition = next(each for each in survey.partitions if each.name == place.partition)
    place = _with_account(survey, partition, place)
    limits = limits_of(survey, partition, place.qos, place.account)
    if limits.nothing_runs:
        raise SlurmUnfit(f"no job may run there: {limits.nothing_runs} is 0")
    return replace(place, limits=limits)


def _with_account(survey: Survey, partition: Partition, place: Place) -> Place:
    """Return *place* with an account that lets in there, where the user has several: Slurm's default need not be one that does."""
    if len({each.account for each in survey.associations}) < MANY:
        return place
    names = sorted({each.account for each in survey.associations_for(partition, place.qos)})
    running = [name for name in names if not limits_of(survey, partition, place.qos, name).nothing_runs] or names
    why = f"Of your accounts {' and '.join(names)} may submit there."
    return replace(place, account=running[0], why_account=why)
