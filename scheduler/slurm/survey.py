"""All that is read of a site before idleq runs there, and what follows of it at once: who preempts whom, who may submit where."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from idleq.scheduler.slurm.accounting import Association, Qos
from idleq.scheduler.slurm.configuration import scheduling_cycle_ms
from idleq.scheduler.slurm.errors import SlurmUnreadable
from idleq.scheduler.slurm.hostlist import expand
from idleq.scheduler.slurm.partitions import EVERYBODY, Partition
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
        return form_of(self.version)

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
        return [each for each in self.beside(partition) if each.tier > partition.tier]

    def kept_waiting(self, partition: Partition) -> Sequence[Partition]:
        """Return the partitions on nodes of *partition* whose jobs take none back: they wait until what runs there ends."""
        above = self.preempting(partition)
        return [each for each in self.beside(partition) if each not in above]

    def beside(self, partition: Partition) -> Sequence[Partition]:
        """Return the other partitions that start jobs on nodes of *partition*."""
        mine = frozenset(expand(partition.nodes))
        others = [each for each in self.partitions if each.starts_jobs and each.name != partition.name]
        return [each for each in others if not mine.isdisjoint(expand(each.nodes))]

    def qos_kept_waiting(self, name: str) -> Sequence[Qos]:
        """Return the QOSs whose jobs take nothing back from those of QOS *name*."""
        return [each for each in self.qos if each.name != name and name not in each.preempts]

    def gives_way(self, qos: Qos) -> bool:
        """Whether jobs of *qos* are ended for those of another."""
        mode = self.default_mode if qos.preempt_mode.lower() in ("", "cluster") else qos.preempt_mode.upper()
        return mode in GIVING_WAY and any(qos.name in each.preempts for each in self.qos)

    def associations_for(self, partition: Partition, qos: str = "") -> tuple[Association, ...]:
        """Return what lets the user into *partition*, and under *qos* if one is named."""
        mine = (each for each in self.associations if each.partition in ("", partition.name))
        return tuple(
            each
            for each in mine
            if ("ALL" in partition.accounts or each.account in partition.accounts)
            and each.account not in partition.denied_accounts
            and (not qos or qos in each.qos)
        )

    def open_qos(self, partition: Partition) -> Iterator[Qos]:
        """Yield the QOSs under which the user may submit to *partition*; where nothing is kept of users, everybody may."""
        for qos in self.qos:
            is_let_in = "ALL" in partition.qos_allowed or qos.name in partition.qos_allowed
            may_use = not self.associations or self.associations_for(partition, qos.name)
            if may_use and is_let_in and qos.name not in partition.qos_denied:
                yield qos

    def may_submit_to(self, partition: Partition) -> bool:
        """Whether jobs of the user can start in *partition*."""
        if not partition.starts_jobs or partition.is_closed or not partition.node_count:
            return False
        if "ALL" not in partition.groups and self.groups.isdisjoint(partition.groups):
            return False
        if not self.associations:
            return partition.accounts == EVERYBODY
        return bool(self.associations_for(partition))


def form_of(version: tuple[int, int]) -> Format:
    """Return how a Slurm of this *version* is to be asked."""
    return Format.JSON if version >= FIRST_JSON else Format.TEXT


def read_version(text: str) -> tuple[int, int]:
    """Return the version in "slurm-wlm 24.11.5"; raise SlurmUnreadable if there is none."""
    found = _VERSION.search(text)
    if not found:
        raise SlurmUnreadable(f"{text[:200]!r} names no version of Slurm")
    return int(found[1]), int(found[2])
