"""The names of things: one type per thing, so that a job's name is never taken for a node's."""

import re
from typing import NewType

EntryId = NewType("EntryId", int)
"""What one submit leaves in the queue: a single job, or an array of them."""

JobId = NewType("JobId", str)
"""A job: "17", or "17_3" for task 3 of array 17."""

JOB_NAME = re.compile(r"[1-9][0-9]{0,17}(_(0|[1-9][0-9]{0,8}))?")
"""What a job, or an entry, is called: entries count from 1, and an array has less than a thousand million tasks."""

Fence = NewType("Fence", int)
"""A segment's fencing number: counts up per job, and only the highest one's results are accepted."""

AllocationId = NewType("AllocationId", str)
"""What Slurm calls a job and we hold, on one node, to run guests in; the name is ours ("a12")."""

NodeName = NewType("NodeName", str)
SnapshotId = NewType("SnapshotId", str)

CommandId = NewType("CommandId", int)
"""Stands in the outside world too (sbatch's comment, a container's label), so that nothing is done twice."""

Millis = NewType("Millis", int)
"""Engine time: whole milliseconds since the Unix epoch, or a duration in them; it never goes backwards."""


def job_id(entry: EntryId, index: int | None) -> JobId:
    """Name the single job of *entry* (index None), or its task number *index*."""
    return JobId(str(entry) if index is None else f"{entry}_{index}")


def entry_of(job: JobId) -> EntryId:
    """Return the entry that *job* belongs to."""
    return EntryId(int(job.partition("_")[0]))


def index_of(job: JobId) -> int | None:
    """Return the task number of *job*, None for a job that is no array's."""
    _, separator, index = job.partition("_")
    return int(index) if separator else None
