"""All that Slurm said at one time."""

from collections.abc import Sequence
from dataclasses import dataclass

from idleq.ids import Millis
from idleq.scheduler.slurm.partitions import Partition
from idleq.scheduler.slurm.records import JobRecord, NodeRecord, ReservationRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at the cluster.

    Attributes:
        at: when it was taken, by our clock.
        jobs: every job that is not over.
        nodes: every node.
        reservations: every reservation that has not ended.
        partitions: every partition; none where they were not asked for.
        planned_at: when the scheduler finished its last plan, in its own seconds; None if it does not say.
    """

    at: Millis
    jobs: Sequence[JobRecord]
    nodes: Sequence[NodeRecord]
    reservations: Sequence[ReservationRecord]
    planned_at: int | None
    partitions: Sequence[Partition] = ()
