"""What `squeue --json`, `scontrol show nodes --json` and slurmrestd answer, as records.

Fields that a newer Slurm adds are passed over. A field that is missing is refused by name: gaps built on half of the truth would
be wrong without anybody noticing.
"""

from typing import TypeVar

import msgspec

from idleq.scheduler.slurm.errors import SlurmRefused, SlurmUnreadable
from idleq.scheduler.slurm.partitions import Partition
from idleq.scheduler.slurm.records import AnyNumber, JobRecord, NodeRecord, ReservationRecord, value

T = TypeVar("T")


class Complaint(msgspec.Struct, frozen=True, gc=False):
    """One entry of an answer's list of errors."""

    description: str = ""
    error: str = ""

    def __str__(self) -> str:
        return ": ".join(text for text in (self.error, self.description) if text)


class Refusal(msgspec.Struct, frozen=True):
    """An answer that has only errors."""

    errors: list[Complaint]


class Jobs(msgspec.Struct, frozen=True):
    """The answer about jobs; *last_backfill* is when the plan was last made, None where it is not said."""

    jobs: list[JobRecord]
    last_backfill: AnyNumber = None
    errors: list[Complaint] = []


class Nodes(msgspec.Struct, frozen=True):
    """The answer about nodes."""

    nodes: list[NodeRecord]
    errors: list[Complaint] = []


class Reservations(msgspec.Struct, frozen=True):
    """The answer about reservations."""

    reservations: list[ReservationRecord]
    errors: list[Complaint] = []


class PartitionNodes(msgspec.Struct, frozen=True, gc=False):
    """Its nodes, as Slurm writes them, and how many."""

    configured: str
    total: int


class PartitionPriority(msgspec.Struct, frozen=True, gc=False):
    """Its tier."""

    tier: int


class PartitionState(msgspec.Struct, frozen=True, gc=False):
    """UP, or what it is else."""

    state: list[str] | str


class PartitionRecord(msgspec.Struct, frozen=True, gc=False):
    """What is needed of a partition to know which of its nodes are gaps."""

    name: str
    nodes: PartitionNodes
    priority: PartitionPriority
    partition: PartitionState


class Partitions(msgspec.Struct, frozen=True):
    """The answer about partitions."""

    partitions: list[PartitionRecord]
    errors: list[Complaint] = []


class Statistics(msgspec.Struct, frozen=True):
    """What the scheduler says of itself: when it last planned, and whether it is planning now."""

    bf_when_last_cycle: AnyNumber
    bf_active: bool


class Diagnosis(msgspec.Struct, frozen=True):
    """The answer about the scheduler."""

    statistics: Statistics
    errors: list[Complaint] = []


_JOBS = msgspec.json.Decoder(Jobs)
_NODES = msgspec.json.Decoder(Nodes)
_RESERVATIONS = msgspec.json.Decoder(Reservations)
_PARTITIONS = msgspec.json.Decoder(Partitions)
_DIAGNOSIS = msgspec.json.Decoder(Diagnosis)


def read_jobs(text: bytes) -> Jobs:
    """Return the jobs; raise SlurmUnreadable, or SlurmRefused if the answer is a refusal."""
    return _read(text, _JOBS, "about jobs")


def planned_at(jobs: Jobs) -> int | None:
    """Return when the plan in the answer about jobs was made, None where it is not said."""
    return value(jobs.last_backfill)


def read_nodes(text: bytes) -> Nodes:
    """Return the nodes; raise as `read_jobs` does."""
    return _read(text, _NODES, "about nodes")


def read_reservations(text: bytes) -> Reservations:
    """Return the reservations; raise as `read_jobs` does."""
    return _read(text, _RESERVATIONS, "about reservations")


def read_partitions(text: bytes) -> tuple[Partition, ...]:
    """Return the partitions, of which JSON does not say which is the default, nor how their jobs are preempted; raise as `read_jobs` does."""
    return tuple(
        Partition(
            name=each.name,
            nodes=each.nodes.configured,
            node_count=each.nodes.total,
            state=each.partition.state if isinstance(each.partition.state, str) else "+".join(each.partition.state),
            tier=each.priority.tier,
        )
        for each in _read(text, _PARTITIONS, "about partitions").partitions
    )


def read_diagnosis(text: bytes) -> Statistics:
    """Return what the scheduler says of itself; raise as `read_jobs` does."""
    return _read(text, _DIAGNOSIS, "about the scheduler").statistics


def _read(text: bytes, decoder: "msgspec.json.Decoder[T]", what: str) -> T:
    try:
        answer = _decoded(text, decoder)
    except msgspec.DecodeError as error:
        _refuse(text)
        raise SlurmUnreadable(
            f"Slurm's answer {what} is not what idleq understands: {error}."
            ' Versions before 23.02 lack fields in JSON: ask them for columns (cluster.format = "text" in config.toml)'
        ) from error
    complaints = getattr(answer, "errors", ())
    if complaints:
        raise SlurmRefused(f"Slurm refused to answer {what}: {'; '.join(map(str, complaints))}")
    return answer


def _decoded(text: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    try:
        return decoder.decode(text)
    except UnicodeDecodeError:  # Slurm passes on what people write into names and comments, which need not be text
        return decoder.decode(text.decode(errors="replace"))


def _refuse(text: bytes) -> None:
    """Raise SlurmRefused if *text* is nothing but a complaint."""
    try:
        complaints = msgspec.json.decode(text, type=Refusal).errors
    except msgspec.DecodeError:
        return
    if complaints:
        raise SlurmRefused(f"Slurm refused: {'; '.join(map(str, complaints))}")
