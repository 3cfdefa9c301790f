"""What Slurm's accounting says of QOSs and of what a user may: `sacctmgr show qos`, `sacctmgr show associations`."""

from dataclasses import dataclass

from idleq.scheduler.slurm.errors import SlurmUnreadable
from idleq.scheduler.slurm.partitions import parse_minutes, parse_seconds, words_of
from idleq.scheduler.slurm.questions import ASSOCIATION_COLUMNS, QOS_COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Qos:
    """One QOS.

    Attributes:
        name: its own.
        grace_s: what its jobs get when they are preempted.
        preempts: the QOSs whose jobs its own may preempt.
        preempt_mode: what happens to its jobs then; "cluster" is what slurm.conf says.
        usage_factor: how much of what its jobs use is charged; 0 is nothing.
        max_jobs: how many of a user's jobs may run; None if there is no limit.
        max_submit: how many of a user's jobs may be there at all.
        max_minutes: the longest time limit.
    """

    name: str
    grace_s: int = 0
    preempts: frozenset[str] = frozenset()
    preempt_mode: str = "cluster"
    usage_factor: float = 1.0
    max_jobs: int | None = None
    max_submit: int | None = None
    max_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A user's right to submit under an account, in a partition if it names one; limits as those of a QOS."""

    account: str
    partition: str = ""
    qos: frozenset[str] = frozenset()
    max_jobs: int | None = None
    max_submit: int | None = None
    max_minutes: int | None = None


def read_qos(text: str) -> tuple[Qos, ...]:
    """Return the QOSs that `sacctmgr` printed.

    Raises:
        SlurmUnreadable: a line is not what was asked for.
    """
    return tuple(_qos(line) for line in text.splitlines() if line)


def read_associations(text: str) -> tuple[Association, ...]:
    """Return a user's associations; raise as `read_qos` does."""
    return tuple(_association(line) for line in text.splitlines() if line)


def _qos(line: str) -> Qos:
    name, grace, preempts, mode, factor, jobs, submit, wall = _split(line, len(QOS_COLUMNS))
    try:
        return Qos(
            name=name,
            grace_s=parse_seconds(grace) if grace else 0,
            preempts=words_of(preempts),
            preempt_mode=mode,
            usage_factor=float(factor or 1),
            max_jobs=_limit(jobs),
            max_submit=_limit(submit),
            max_minutes=parse_minutes(wall),
        )
    except ValueError as error:
        raise SlurmUnreadable(f"a QOS cannot be read ({error}): {line[:200]!r}") from None


def _association(line: str) -> Association:
    account, partition, qos, jobs, submit, wall = _split(line, len(ASSOCIATION_COLUMNS))
    try:
        return Association(
            account=account,
            partition=partition,
            qos=words_of(qos),
            max_jobs=_limit(jobs),
            max_submit=_limit(submit),
            max_minutes=parse_minutes(wall),
        )
    except ValueError as error:
        raise SlurmUnreadable(f"an association cannot be read ({error}): {line[:200]!r}") from None


def _split(line: str, columns: int) -> list[str]:
    parts = line.split("|")
    if len(parts) != columns:
        raise SlurmUnreadable(f"{line[:200]!r} has {len(parts)} columns, not the {columns} that were asked for")
    return parts


def _limit(text: str) -> int | None:
    return int(text) if text else None
