"""Whether a user's allocations are let in where config.toml sends them, and within what limits; as findings. Pure."""

from collections.abc import Iterator

from idleq.ids import Millis
from idleq.scheduler.config import SlurmSettings
from idleq.scheduler.core.policy import MINUTE, Policy
from idleq.scheduler.slurm.finding import Finding, Weight
from idleq.scheduler.slurm.limits import limits_of
from idleq.scheduler.slurm.partitions import Partition
from idleq.scheduler.slurm.survey import Survey
from idleq.scheduler.units import format_duration, span


def limits(survey: Survey, settings: SlurmSettings, policy: Policy, partition: Partition) -> Finding:
    """Whether allocations may be as long as they ask to be."""
    least = limits_of(survey, partition, settings.qos, settings.account)
    if least.nothing_runs:
        found = f"no job may run there: {least.nothing_runs} is 0"
        return Finding(name="limits", weight=Weight.PROBLEM, found=found, advice="ask the admin for more")
    longest = least.max_minutes
    if longest is not None and longest * MINUTE < policy.max_allocation_ms:
        found = (
            f"nothing may run longer than {span(longest * MINUTE)} in {partition.name} ({least.max_source}),"
            f" and allocations ask for {span(policy.max_allocation_ms)}"
        )
        advice = f'set policy.max_allocation = "{format_duration(Millis(longest * MINUTE))}"'
        return Finding(name="limits", weight=Weight.PROBLEM, found=found, advice=advice)
    return Finding(
        name="limits", found=f"allocations of {span(policy.max_allocation_ms)} are allowed in {partition.name}"
    )


def account(survey: Survey, settings: SlurmSettings, partition: Partition | None) -> Finding:
    """Whether an account of the user's is let in."""
    if "associations" in survey.enforced and not survey.associations:
        advice = f"let the admin add one: sacctmgr add user {survey.user} account=ACCOUNT"
        return _problem("account", f"{survey.user} has none, and jobs without are refused", advice)
    own = sorted({each.account for each in survey.associations})
    if partition is None or not own:
        return Finding(name="account", found=", ".join(own) or "none is asked for")
    where = partition.name + (f" under QOS {settings.qos}" if settings.qos else "")
    let_in = sorted({each.account for each in survey.associations_for(partition, settings.qos)})
    choice = f"set cluster.account to one that may: {', '.join(let_in)}"
    if not let_in:
        advice = "set cluster.partition and cluster.qos to what they may, or ask the admin"
        return _problem("account", f"no account of {survey.user}'s ({', '.join(own)}) may submit to {where}", advice)
    if settings.account and settings.account not in let_in:
        return _problem("account", f"{settings.account} may not submit to {where}", choice)
    if not settings.account and let_in != own:
        found = f"only {' and '.join(let_in)} may submit to {where}, and Slurm's default may be another"
        return Finding(name="account", weight=Weight.WARNING, found=found, advice=choice)
    return Finding(name="account", found=settings.account or ", ".join(own))


def entry(survey: Survey, settings: SlurmSettings, partition: Partition) -> Iterator[Finding]:
    """Yield why the partition or the QOS would not take an allocation, if it would not."""
    if partition.is_closed:
        found = f"{partition.name} takes jobs of root alone, or into reservations alone"
        yield _problem("partition", found, "set cluster.partition to another")
    elif partition.starts_jobs and not survey.may_submit_to(partition) and not _is_accounts_matter(survey, partition):
        found = f"{survey.user} may start nothing in {partition.name}"
        yield _problem("partition", found, "`scontrol show partition` says who may: AllowGroups, AllowAccounts")
    if not settings.qos or not survey.qos:
        return
    usable = ", ".join(each.name for each in survey.open_qos(partition)) or "none is open to you"
    advice = f"set cluster.qos to one for {partition.name}: {usable}"
    qos = next((each for each in survey.qos if each.name == settings.qos), None)
    if qos is None:
        yield _problem("qos", f"there is no QOS {settings.qos!r}", advice)
    elif qos not in survey.open_qos(partition):
        yield _problem("qos", f"{survey.user} may not use QOS {qos.name} in {partition.name}", advice)


def _is_accounts_matter(survey: Survey, partition: Partition) -> bool:
    """Whether `account` says already that none lets in."""
    return bool(survey.associations) and not survey.associations_for(partition)


def _problem(name: str, found: str, advice: str) -> Finding:
    return Finding(name=name, weight=Weight.PROBLEM, found=found, advice=advice)
