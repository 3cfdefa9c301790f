"""A log made ready for a queue: what can run, by submit time, and what was dropped and why."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from idleq.simulator.jobs import MainJob
from idleq.simulator.table import JobTable, table_of


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was dropped, and why; *job* is None where its line has no number that could be read, *line* where it could be used."""

    line: int | None
    job: int | None
    reason: str


@dataclass(frozen=True, eq=False)
class Trace:
    """Main jobs that a queue of *processors* can run, by submit time, and what was dropped.

    Attributes:
        processors: how large the machine is.
        table: the jobs.
        dropped: the lines that were dropped, in the order of the file.
        shortened: how many jobs ran longer than their limit and are ended by it here.
        name: what people call it.
        digest: of the file's content, or what it was drawn from.
    """

    processors: int
    table: JobTable
    dropped: tuple[Dropped, ...] = ()
    shortened: int = 0
    name: str = ""
    digest: str = ""

    @cached_property
    def jobs(self) -> tuple[MainJob, ...]:
        """The jobs as values."""
        return self.table.jobs()

    def dropped_by_reason(self) -> dict[str, int]:
        """Count what was dropped, the most frequent reason first."""
        return dict(Counter(entry.reason for entry in self.dropped).most_common())

    @property
    def load(self) -> float:
        """The processor-seconds asked for, over the machine's between the first and the last submit."""
        submit = self.table.submit
        span = int(submit[-1]) - int(submit[0])
        return float((self.table.run * self.table.size).sum()) / (span * self.processors) if span else 0.0


def trace_of(processors: int, jobs: Iterable[MainJob], name: str = "", digest: str = "") -> Trace:
    """Return *jobs*, all of which fit, as a trace."""
    return Trace(processors, table_of(jobs), name=name, digest=digest)
