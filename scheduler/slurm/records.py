"""What Slurm says of jobs, nodes and reservations, whatever the version and the way it was asked.

The same in JSON (`squeue --json`, slurmrestd) from Slurm 23.02 on, and in the columns of older ones: `answers` and `columns` make
these records of either. JSON has some 130 fields for a job; only those named here are decoded, all others are passed over.
"""

import re
from collections.abc import Sequence

import msgspec

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm.errors import SlurmUnreadable
from idleq.scheduler.slurm.hostlist import expand

MEBI = 2**20
NO_VALUE = 0xFFFF_FFFE
"""Slurm's own "not set" and, one more, "no end" in bare numbers of 32 bits."""


class Number(msgspec.Struct, frozen=True, gc=False):
    """A number that may be absent or without end (versions before 23.02 have bare ones)."""

    set: bool
    infinite: bool
    number: int | float


AnyNumber = Number | int | float | None


def value(number: AnyNumber) -> int | None:
    """Return what *number* says, None if it is not set or without end."""
    match number:
        case Number(set=True, infinite=False):
            return int(number.number)
        case int() | float() if 0 <= number < NO_VALUE:
            return int(number)
        case _:
            return None


def instant(number: AnyNumber) -> Millis | None:
    """Return the time that *number* (seconds since the epoch) says; 0 is Slurm's "not known"."""
    seconds = value(number)
    return Millis(seconds * 1000) if seconds else None


ON_NODES = frozenset(
    {"COMPLETING", "CONFIGURING", "RESIZING", "RUNNING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED"}
)


class JobRecord(msgspec.Struct, frozen=True, gc=False):
    """One job: pending, running, or over for a short while.

    *start_time* of a pending one is the plan's; *preempt_time* is when it was told to make room, *eligible_time* since when it could have started.
    """

    job_id: int
    name: str
    job_state: list[str] | str
    nodes: str
    scheduled_nodes: str
    start_time: AnyNumber
    end_time: AnyNumber
    user_name: str
    comment: str = ""
    preempt_time: AnyNumber = None
    eligible_time: AnyNumber = None
    tres_alloc_str: str = ""

    @property
    def states(self) -> Sequence[str]:
        """All that is said of its state: "COMPLETED" and "COMPLETING" can come together."""
        return self.job_state if isinstance(self.job_state, list) else (self.job_state,)

    @property
    def is_waiting(self) -> bool:
        """Whether it has not started (a requeued one waits again)."""
        return "PENDING" in self.states

    @property
    def is_on_nodes(self) -> bool:
        """Whether it holds its nodes; what is suspended or cleaned up after does."""
        return not ON_NODES.isdisjoint(self.states)

    @property
    def resources(self) -> Resources:
        """What it holds, on all its nodes together."""
        return parse_tres(self.tres_alloc_str)


class NodeRecord(msgspec.Struct, frozen=True, gc=False):
    """One node. *state* has the state proper and what else is true of it: ["IDLE", "DRAIN"]."""

    name: NodeName
    state: list[str] | str
    cpus: int
    real_memory: int
    alloc_cpus: int
    alloc_memory: int
    gres: str = ""
    gres_used: str = ""
    state_flags: list[str] = []
    effective_cpus: int | None = None
    specialized_memory: int = 0
    active_features: list[str] | str = []

    @property
    def states(self) -> frozenset[str]:
        """All that is said of its state, in capitals."""
        said = [self.state] if isinstance(self.state, str) else self.state
        return frozenset(word.upper() for word in (*said, *self.state_flags))

    @property
    def features(self) -> frozenset[str]:
        """What the site says of its kind."""
        said = self.active_features
        return frozenset(said.split(",") if isinstance(said, str) else said) - {""}

    @property
    def capacity(self) -> Resources:
        """What jobs can have of it: CPUs as Slurm counts them, memory less what is kept for the system."""
        cpus = self.cpus if self.effective_cpus is None else self.effective_cpus
        return Resources(cpus, (self.real_memory - self.specialized_memory) * MEBI, count_gpus(self.gres))

    @property
    def allocated(self) -> Resources:
        """What all jobs together have of it."""
        return Resources(self.alloc_cpus, self.alloc_memory * MEBI, count_gpus(self.gres_used))


class ReservationRecord(msgspec.Struct, frozen=True, gc=False):
    """Nodes set aside from *start_time* to *end_time*: for a course, for maintenance.

    Whatever its *flags*, its nodes are no gap while it lasts, and their gaps end when it begins: a flexible one (FLEX) may let its own
    jobs begin earlier, and one that floats (TIME_FLOAT) stays as far ahead as it is.
    """

    name: str
    node_list: str
    start_time: AnyNumber
    end_time: AnyNumber
    flags: list[str] = []

    @property
    def is_maintenance(self) -> bool:
        """Whether the site says that it is for maintenance."""
        return "MAINT" in self.flags

    @property
    def nodes(self) -> tuple[NodeName, ...]:
        """The nodes it holds."""
        return expand(self.node_list)


_GPUS = re.compile(r"(?:^|,)gpu(?::[^:,()]*)?:([0-9]+)", re.ASCII)
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([KMGTP]?)", re.ASCII)
_UNITS = {"K": 2**10, "M": 2**20, "": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}


def count_gpus(gres: str) -> int:
    """Return how many GPUs "gpu:a100:4(S:0-1),shard:8" has, of whatever kind."""
    if "gpu" not in gres:
        return 0
    return sum(map(int, _GPUS.findall(re.sub(r"\([^()]*\)", "", gres))))


def parse_tres(text: str) -> Resources:
    """Return the amounts in "cpu=2,mem=1000M,node=1,billing=2,gres/gpu=1"; what is not named is 0.

    Raises:
        SlurmUnreadable: an amount is no number.
    """
    parts = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    try:
        cpus, gpus = int(parts.get("cpu", 0)), int(parts.get("gres/gpu", 0))
    except ValueError as error:
        raise SlurmUnreadable(f"{text[:200]!r} has no numbers of CPUs and GPUs: {error}") from error
    return Resources(cpus, parse_memory(parts.get("mem", "0")), gpus)


def parse_memory(text: str) -> int:
    """Return the bytes in "500M", "1.50G" or "0"; a bare number is in mebibytes.

    Raises:
        SlurmUnreadable: it is no amount of memory.
    """
    found = _SIZE.fullmatch(text)
    if not found:
        raise SlurmUnreadable(f"{text[:200]!r} is no amount of memory")
    return int(float(found[1]) * _UNITS[found[2]])
