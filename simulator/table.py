"""Main jobs as columns: what a log has many of, kept the way that arrays are quick with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from idleq.simulator.jobs import MainJob

Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JobTable:
    """Jobs by submit time, ties in the order of the log; one row each, the columns are `MainJob`'s attributes."""

    id: Column
    submit: Column
    run: Column
    limit: Column
    size: Column
    user: Column
    queue: Column
    memory: Column

    def __len__(self) -> int:
        return len(self.id)

    def jobs(self) -> tuple[MainJob, ...]:
        """Return the rows as values."""
        columns = (self.id, self.submit, self.run, self.limit, self.size, self.user, self.queue, self.memory)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return tuple(
            MainJob(id=number, submit=submit, run=run, limit=limit, size=size, user=user, queue=queue, memory=memory)
            for number, submit, run, limit, size, user, queue, memory in rows
        )

    def where(self, is_in: NDArray[np.bool_]) -> "JobTable":
        """Return the rows for which *is_in* holds."""
        return JobTable(**{one.name: getattr(self, one.name)[is_in] for one in fields(JobTable)})

    def with_limits(self, limits: Column) -> "JobTable":
        """Return the same jobs with other limits."""
        return replace(self, limit=limits)


def table_of(jobs: Iterable[MainJob]) -> JobTable:
    """Return *jobs*, which are by submit time, as columns."""
    rows: Sequence[MainJob] = list(jobs)
    return JobTable(**{one.name: column([getattr(job, one.name) for job in rows]) for one in fields(JobTable)})


def column(values: Sequence[int]) -> Column:
    """Return *values* as a column."""
    return np.asarray(values, dtype=np.int64)
