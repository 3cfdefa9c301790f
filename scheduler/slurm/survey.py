"""All that is read of a site before idleq runs there, and what follows of it at once: who preempts whom, who may submit where."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from idleq.scheduler.slurm.accounting import Association, Qos
from idleq.scheduler.slurm.configuration import scheduling_cycle_ms
from idleq.scheduler.slurm.errors import SlurmUnreadable
from idleq.scheduler.slurm.hostlist import expand
from idleq.scheduler.slurm.partitions import Partition
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.records import NodeRecord

FIRST_JSON = (23, 2)
"""Older versions lack the plan in JSON."""

GIVING_WAY = frozenset({"CANCEL", "REQUEUE"})
"""What may happen to guests that are preempted; a suspended guest would keep its memory, and idleq could not move it."""

_VERSION = re.compile(r"([0-9]+)\.([0-9]+)", re.ASCII)


class Preemption(StrEnum):
    """By what a site lets main jobs take nodes back."""

    NONE = "none"
    PARTITIONS = "partitions"
    QOS = "qos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One site, as an ordinary user is shown it.

    Attributes:
        user: who asks.
        version: major and minor.
        settings: slurm.conf, as `scontrol show config` prints it.
        partitions: all of them, also those that are hidden.
        nodes: all of them.
        qos: none where there is no accounting.
        associations: what the user may; none where nothing is kept of it.
        groups: the user's groups on this machine.
    """

    user: str
    version: tuple[int, int]
    settings: Mapping[str, str]
    partitions: tuple[Partition, ...]
    nodes: Sequence[NodeRecord] = ()
    qos: tuple[Qos, ...] = ()
    associations: tuple[Association, ...] = ()
    groups: frozenset[str] = frozenset()

    @property
    def form(self) -> Format:
        """How this Slurm is to be asked."""
        return Format.JSON if self.version >= FIRST_JSON else Format.TEXT

    @property
    def preemption(self) -> Preemption:
        """By what main jobs take nodes back."""
        words = {"preempt/partition_prio": Preemption.PARTITIONS, "preempt/qos": Preemption.QOS}
        return words.get(self.settings.get("PreemptType", ""), Preemption.NONE)

    @property
    def has_accounting(self) -> bool:
        """Whether there is a data base of accounts and QOSs."""
        return self.settings.get("AccountingStorageType") == "accounting_storage/slurmdbd"

    @property
    def enforced(self) -> frozenset[str]:
        """What of accounts and limits is enforced."""
        return frozenset(re.split(r"[,\s]+", self.settings.get("AccountingStorageEnforce", "none").lower())) - {"none"}

    @property
    def backfill_s(self) -> int:
        """How often the plan is made."""
        return scheduling_cycle_ms(self.settings) // 1000

    @property
    def default_mode(self) -> str:
        """What PreemptMode says for all, without what it says of suspending in turns."""
        return self.settings.get("PreemptMode", "OFF").split(",")[0].upper()

    def preempting(self, partition: Partition) -> Sequence[Partition]:
        """Return the partitions whose jobs take nodes of *partition* back."""
        if partition.preempt_mode.split(",")[0] not in GIVING_WAY:
            return ()
        mine = frozenset(expand(partition.nodes))
        above = [each for each in self.partitions if each.starts_jobs and each.tier > partition.tier]
        return [each for each in above if not mine.isdisjoint(expand(each.nodes))]

    def gives_way(self, qos: Qos) -> bool:
        """Whether jobs of *qos* are ended for those of another."""
        mode = self.default_mode if qos.preempt_mode.lower() in ("", "cluster") else qos.preempt_mode.upper()
        return mode in GIVING_WAY and any(qos.name in each.preempts for each in self.qos)

    def may_use(self, qos: Qos) -> bool:
        """Whether the user may submit under *qos*; where nothing is kept of users, everybody may."""
        return not self.associations or any(qos.name in each.qos for each in self.associations)

    def may_submit_to(self, partition: Partition) -> bool:
        """Whether jobs of the user can start in *partition*."""
        if not partition.starts_jobs or partition.is_closed or not partition.node_count:
            return False
        if "ALL" not in partition.groups and self.groups.isdisjoint(partition.groups):
            return False
        accounts = frozenset(each.account for each in self.associations if each.partition in ("", partition.name))
        if not accounts:
            return not self.associations and partition.accounts == frozenset({"ALL"})
        allowed = accounts if "ALL" in partition.accounts else accounts & partition.accounts
        return bool(allowed - partition.denied_accounts)


def read_version(text: str) -> tuple[int, int]:
    """Return the version in "slurm-wlm 24.11.5"; raise SlurmUnreadable if there is none."""
    found = _VERSION.search(text)
    if not found:
        raise SlurmUnreadable(f"{text[:200]!r} names no version of Slurm")
    return int(found[1]), int(found[2])
