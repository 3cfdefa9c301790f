"""Slurm as the cluster adapter needs it; `commandline` and `rest` are two ways to reach the same one."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from idleq.ids import Millis, NodeName
from idleq.scheduler.slurm.batch import BatchJob
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import JobRecord


class Site(Protocol):
    """Slurm, asked in whole questions. Every call may raise SlurmAway, SlurmRefused or SlurmUnreadable."""

    def read(self, now: Millis) -> Reading:
        """Return all that it says now.

        Nodes are asked before jobs: what a guest holds that starts in between is then in neither answer or in the jobs' alone,
        and never looks like a main job's.
        """
        ...

    def ends(self, jobs: Sequence[int]) -> Mapping[int, JobRecord]:
        """Return what it still knows of *jobs* that are not in a reading any more."""
        ...

    def over_on(self, nodes: Sequence[NodeName] | None) -> Sequence[JobRecord]:
        """Return the jobs that have lately ended on some of *nodes* (None: anywhere), as far as it knows them and a reading has not told them."""
        ...

    def submit(self, job: BatchJob) -> int:
        """Submit *job* and return its number."""
        ...

    def cancel(self, jobs: Sequence[int]) -> None:
        """End *jobs*; those that are over stay so."""
        ...
