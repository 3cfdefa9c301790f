"""What Slurm says of its partitions: `scontrol --oneliner show partitions`, which every version has."""

import re
from dataclasses import dataclass

from idleq.scheduler.slurm.errors import SlurmUnreadable

EVERYBODY = frozenset({"ALL"})
NO_LIMIT = frozenset({"UNLIMITED", "INFINITE", "NONE", "NOT_SET", ""})
_TIME = re.compile(r"(?:(?P<days>[0-9]+)-)?(?P<parts>[0-9]+(?::[0-9]+){0,2})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition.

    Attributes:
        name: its own.
        nodes: its nodes, as Slurm writes them.
        node_count: how many.
        is_default: whether jobs that name none go there.
        state: UP; DOWN starts nothing, DRAIN and INACTIVE take no more jobs.
        tier: jobs of a higher one are considered first, and may preempt those of a lower one.
        preempt_mode: what happens to its jobs when they are preempted: OFF, CANCEL, REQUEUE, SUSPEND.
        grace_s: what they get between the signal and their end.
        max_minutes: the longest time limit; None if there is none.
        is_closed: only root may submit there, or only into a reservation.
        groups, accounts, denied_accounts, qos_allowed, qos_denied: who may submit, in Slurm's words; ALL is everybody.
        qos: the QOS whose limits hold there for all, "" if none.
    """

    name: str
    nodes: str
    node_count: int
    state: str
    tier: int
    is_default: bool = False
    preempt_mode: str = ""
    grace_s: int = 0
    max_minutes: int | None = None
    is_closed: bool = False
    groups: frozenset[str] = EVERYBODY
    accounts: frozenset[str] = EVERYBODY
    denied_accounts: frozenset[str] = frozenset()
    qos_allowed: frozenset[str] = EVERYBODY
    qos_denied: frozenset[str] = frozenset()
    qos: str = ""

    @property
    def starts_jobs(self) -> bool:
        """Whether jobs that are submitted now can start there."""
        return self.state == "UP"


def read_partitions(text: str) -> tuple[Partition, ...]:
    """Return the partitions.

    Raises:
        SlurmUnreadable: a line lacks what is needed of it.
    """
    return tuple(_partition(line) for line in text.splitlines() if line.startswith("PartitionName="))


def _partition(line: str) -> Partition:
    said = dict(word.split("=", 1) for word in line.split() if "=" in word)
    try:
        return Partition(
            name=said["PartitionName"],
            nodes="" if said["Nodes"] == "(null)" else said["Nodes"],
            node_count=int(said["TotalNodes"]),
            is_default=said["Default"] == "YES",
            state=said["State"],
            tier=int(said["PriorityTier"]),
            preempt_mode=said["PreemptMode"],
            grace_s=int(said["GraceTime"]),
            max_minutes=parse_minutes(said["MaxTime"]),
            is_closed="YES" in (said.get("RootOnly"), said.get("ReqResv")),
            groups=words_of(said.get("AllowGroups", "ALL")),
            accounts=words_of(said.get("AllowAccounts", "ALL")),
            denied_accounts=words_of(said.get("DenyAccounts", "")),
            qos_allowed=words_of(said.get("AllowQos", "ALL")),
            qos_denied=words_of(said.get("DenyQos", "")),
            qos="" if said.get("QoS", "N/A") == "N/A" else said["QoS"],
        )
    except KeyError as missing:
        raise SlurmUnreadable(f"a partition lacks {missing}: {line[:200]!r}") from None
    except ValueError as error:
        raise SlurmUnreadable(f"a partition cannot be read ({error}): {line[:200]!r}") from None


def words_of(text: str) -> frozenset[str]:
    """Return the words of a list with commas."""
    return frozenset(word for word in text.split(",") if word)


def parse_minutes(text: str) -> int | None:
    """Return a time limit in whole minutes, None if there is no end to it; "1-12:00:00", "2:30:00", "30:00", "30".

    Raises:
        ValueError: it is no time limit.
    """
    if text in NO_LIMIT:
        return None
    return parse_seconds(text) // 60


def parse_seconds(text: str) -> int:
    """Return the seconds in what Slurm writes as a time: days-hours:minutes:seconds, of which the first parts may lack.

    With days the parts are hours, minutes, seconds from the left; without, a single number is minutes (see sbatch's --time).

    Raises:
        ValueError: it is no time.
    """
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no time")
    parts = [int(part) for part in found["parts"].split(":")]
    if found["days"] is not None:
        hours, minutes, seconds = [*parts, 0, 0][:3]
        return ((int(found["days"]) * 24 + hours) * 60 + minutes) * 60 + seconds
    hours, minutes, seconds = {1: (0, parts[0], 0), 2: (0, *parts), 3: tuple(parts)}[len(parts)]
    return (hours * 60 + minutes) * 60 + seconds
