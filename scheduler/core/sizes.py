"""What the snapshots of a kind's jobs weigh: each job counts once, by its newest, however often it saves."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from idleq.ids import JobId
from idleq.scheduler.core.recent import REMEMBERED, rank_of

CAUTIOUS = 950
"""A job of which nothing is known yet is taken for as large as all but one in twenty were: a freeze planned too early costs less than a lost segment."""


@dataclass(slots=True)
class Sizes:
    """The sizes of the last `REMEMBERED` jobs.

    Attributes:
        of_jobs: what each one's newest snapshot weighs, the one that was told of last at the end.
        ordered: the same sizes in order.
    """

    of_jobs: dict[JobId, int] = field(default_factory=dict)
    ordered: list[int] = field(default_factory=list)

    def note(self, job: JobId, size: int) -> bool:
        """Remember what *job*'s newest snapshot weighs, and forget what is too old; return whether quantiles may differ now."""
        gone = self.of_jobs.pop(job, None)
        self.of_jobs[job] = size
        if len(self.of_jobs) > REMEMBERED:
            gone = self.of_jobs.pop(next(iter(self.of_jobs)))
        if gone == size:
            return False
        insort(self.ordered, size)
        if gone is not None:
            del self.ordered[bisect_left(self.ordered, gone)]
        return True

    @property
    def cautious(self) -> int | None:
        """What a job weighs of which nothing is known; None if no job was ever told of."""
        return self.ordered[rank_of(CAUTIOUS, len(self.ordered))] if self.ordered else None
