"""An entry: what one submit left in the queue. An array is one entry until its tasks start."""

from dataclasses import dataclass, field
from enum import StrEnum

from idleq.ids import EntryId, JobId, Millis, job_id
from idleq.scheduler.core.kind import Kinds, kinds_of
from idleq.scheduler.core.submission import JobSpec, Submission


class Rest(StrEnum):
    """What the jobs of an entry that have never started are in."""

    #: They wait for other entries.
    WAITING = "waiting"
    #: They may start.
    QUEUED = "queued"
    #: They wait for a release.
    HELD = "held"
    #: They never will start.
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Entry:
    """One job or array.

    Attributes:
        id: its number.
        submission: what was asked for.
        request: the call it came with.
        user: who asked.
        queued_since: its age.
        rest: what its never-started jobs are in.
        reason: why, if held or cancelled.
        is_ready: whether all it waits for is done.
        cursor: the ordinal of the first task that has never been touched.
        touched: tasks past the cursor that were cancelled or held one by one.
        left: how many tasks have never been touched.
        active: jobs of it that hold resources.
        open: jobs of it that have been touched and are not final.
        done, failed, cancelled: how many of its jobs ended how.
        cancelled_at: when its rest was cancelled.
        kinds: what its jobs are alike to where something is learned of them.
    """

    id: EntryId
    submission: Submission
    request: str
    user: str
    queued_since: Millis
    rest: Rest
    reason: str
    is_ready: bool
    left: int
    cursor: int = 0
    touched: dict[int, None] = field(default_factory=dict)
    active: int = 0
    open: dict[JobId, None] = field(default_factory=dict)
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    cancelled_at: Millis = Millis(0)
    kinds: Kinds = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.kinds = kinds_of(self.spec, self.user)

    @property
    def spec(self) -> JobSpec:
        """What each of its jobs runs."""
        return self.submission.spec

    @property
    def is_over(self) -> bool:
        """Whether all its jobs are final."""
        return self.done + self.failed + self.cancelled == self.submission.tasks

    @property
    def has_failed(self) -> bool:
        """Whether it can no longer be done."""
        return self.failed + self.cancelled > 0

    def room_for(self) -> int | None:
        """How many more of its jobs may hold resources at once, None if there is no limit."""
        array = self.submission.array
        return None if array is None or array.limit is None else array.limit - self.active

    def job_at(self, ordinal: int) -> JobId:
        """Return the id of its task number *ordinal*, counted from 0."""
        array = self.submission.array
        return job_id(self.id, None if array is None else array.first + ordinal * array.step)

    def ordinal_of(self, index: int | None) -> int:
        """Return the place of task *index* in the array, counted from 0."""
        array = self.submission.array
        return 0 if array is None or index is None else (index - array.first) // array.step

    def touch(self, ordinal: int) -> None:
        """Count task *ordinal* out of the rest: from now on it is a job of its own."""
        self.left -= 1
        self.touched[ordinal] = None
        while self.cursor in self.touched:
            del self.touched[self.cursor]
            self.cursor += 1
