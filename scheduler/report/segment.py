"""One segment as it was, and what became of each of its moments."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from idleq.ids import Fence, JobId, Millis, NodeName


class Kind(StrEnum):
    """What the cores that a segment holds are doing."""

    #: Work that survived: it is in a snapshot that still counts, or in an accepted result.
    USEFUL = "useful"
    #: Work of a segment that still runs, done since its last save: it may survive or not.
    UNSAVED = "unsaved"
    #: From the decision until the process is up, less the thaw.
    START = "start"
    #: Copying a snapshot to the node and checking it.
    THAW = "thaw"
    #: Saving as insurance while the job goes on afterwards.
    SAVE = "save"
    #: From the signal until the snapshot is published.
    FREEZE = "freeze"
    #: Work that no snapshot holds, or only one that does not verify: it has to be done again.
    REPEATED = "repeated"
    #: Work of a job that failed or was cancelled: no progress of it survived.
    DISCARDED = "discarded"


KINDS = tuple(Kind)
OVERHEAD = tuple(kind for kind in Kind if kind not in {Kind.USEFUL, Kind.UNSAVED})


class Ending(StrEnum):
    """How a segment ended."""

    #: It has not, as far as this report looks.
    RUNNING = "running"
    #: With a snapshot.
    FROZEN = "frozen"
    #: Without a result, through no fault of the workload.
    LOST = "lost"
    #: The workload failed.
    FAILED = "failed"
    #: It was ended because nobody wants the job any more.
    CANCELLED = "cancelled"
    #: With the job's result.
    DONE = "done"


class Phase(NamedTuple):
    """A stretch of a segment in which its cores do one thing."""

    kind: Kind
    since: Millis
    until: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One stretch of one job on one node.

    Attributes:
        job: whose.
        fence: its fencing number.
        node: where.
        cores: what it held.
        is_thaw: whether it went on from a snapshot.
        since: when it was decided; from then on the cores are spoken for.
        running_since: when its process was up; None if nobody heard of that.
        thaw_ms: how long the thaw took, up to then; 0 for a fresh start.
        until: when it ended, or where the report ends.
        ending: how it ended.
        reason: why, in words.
        freeze_ms: how long the freeze took, up to the end.
        saves: when a save was over and how long it took, oldest first.
        kept_until: work up to here survived; None if none did.
        is_discarded: whether the job failed or was cancelled in the end.
    """

    job: JobId
    fence: Fence
    node: NodeName
    cores: int
    is_thaw: bool
    since: Millis
    running_since: Millis | None
    thaw_ms: Millis
    until: Millis
    ending: Ending
    reason: str
    freeze_ms: Millis
    saves: tuple[tuple[Millis, Millis], ...]
    kept_until: Millis | None
    is_discarded: bool

    def phases(self) -> Iterator[Phase]:
        """Yield what its cores did, without gaps or overlaps, from *since* to *until*."""
        return (phase for phase in self._parts() if phase.until > phase.since)

    def _parts(self) -> Iterator[Phase]:
        up = self.until if self.running_since is None else _within(self.running_since, self.since, self.until)
        thaw = _within(Millis(up - self.thaw_ms), self.since, up)
        work_end = _within(Millis(self.until - self.freeze_ms), up, self.until)
        yield Phase(Kind.START, self.since, thaw)
        yield Phase(Kind.THAW, thaw, up)
        at = up
        for saved_at, save_ms in self.saves:
            save_end = _within(saved_at, at, work_end)
            save_start = _within(Millis(saved_at - save_ms), at, save_end)
            yield from self._work(at, save_start)
            yield Phase(Kind.SAVE, save_start, save_end)
            at = save_end
        yield from self._work(at, work_end)
        yield Phase(Kind.FREEZE, work_end, self.until)

    def _work(self, since: Millis, until: Millis) -> Iterator[Phase]:
        kept = since if self.kept_until is None else _within(self.kept_until, since, until)
        yield Phase(Kind.USEFUL, since, kept)
        yield Phase(self._kind_of_unkept(), kept, until)

    def _kind_of_unkept(self) -> Kind:
        if self.is_discarded:
            return Kind.DISCARDED
        return Kind.UNSAVED if self.ending is Ending.RUNNING else Kind.REPEATED


def _within(at: Millis, low: Millis, high: Millis) -> Millis:
    return min(max(at, low), high)
