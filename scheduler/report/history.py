"""One job's story while it is being told: its segments, its snapshots, and which of its work survived."""

from dataclasses import dataclass, field

from idleq.ids import Fence, JobId, Millis, NodeName, SnapshotId
from idleq.scheduler.core.facts import SegmentFrozen, SegmentProgressed, SegmentRunning, SegmentStarted
from idleq.scheduler.core.submission import JobSpec
from idleq.scheduler.report.errors import BrokenHistory
from idleq.scheduler.report.segment import Ending, Segment


@dataclass(slots=True)
class Draft:
    """A segment that may still change."""

    fence: Fence
    node: NodeName
    cores: int
    since: Millis
    thaw_from: SnapshotId | None
    running_since: Millis | None = None
    thaw_ms: Millis = Millis(0)
    until: Millis | None = None
    ending: Ending = Ending.RUNNING
    reason: str = ""
    freeze_ms: Millis = Millis(0)
    saves: list[tuple[Millis, Millis]] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """What the facts so far say of one job.

    Attributes:
        job: which.
        spec: what it runs.
        user: who wants it.
        submitted_at: when it came in.
        state: where it stands, for people.
        ended_at: when it was done, failed or cancelled; None before that.
        drafts: its segments, oldest first.
        marks: each snapshot: the place in *drafts* of the segment that made it, and up to where in it the work is safe.
        dropped: the snapshots that turned out not to verify.
    """

    job: JobId
    spec: JobSpec
    user: str
    submitted_at: Millis
    state: str = "waiting"
    ended_at: Millis | None = None
    drafts: list[Draft] = field(default_factory=list)
    marks: dict[SnapshotId, tuple[int, Millis]] = field(default_factory=dict)
    dropped: set[SnapshotId] = field(default_factory=set)

    def start(self, at: Millis, fact: SegmentStarted, cores: int) -> None:
        self.drafts.append(Draft(fact.fence, fact.node, cores, at, fact.thaw_from))
        self.state = "running"

    def run(self, fact: SegmentRunning) -> None:
        draft = self._draft(fact.fence)
        draft.running_since, draft.thaw_ms = fact.since, fact.thaw_ms

    def progress(self, fact: SegmentProgressed) -> None:
        if fact.saved is None:
            return
        draft = self._draft(fact.fence)
        save_ms = fact.save_ms or Millis(0)
        draft.saves.append((fact.saved.taken_at, save_ms))
        self.marks[fact.saved.id] = self._place(fact.fence), Millis(fact.saved.taken_at - save_ms)

    def freeze(self, fact: SegmentFrozen) -> None:
        self._draft(fact.fence).freeze_ms = fact.freeze_ms
        self.marks[fact.snapshot.id] = self._place(fact.fence), Millis(fact.ended_at - fact.freeze_ms)
        self.end(fact.fence, fact.ended_at, Ending.FROZEN, fact.reason)

    def end(self, fence: Fence, ended_at: Millis, ending: Ending, reason: str) -> None:
        draft = self._draft(fence)
        draft.until, draft.ending, draft.reason = ended_at, ending, reason
        self.let_go()

    def let_go(self) -> None:
        self.state = "waiting" if self._newest() is None else "frozen"

    def finish(self, state: str, at: Millis) -> None:
        self.state, self.ended_at = state, at

    def withdraw(self, at: Millis, reason: str) -> None:
        """Cancel the job; a segment of which no end was told ended now."""
        if self.drafts and self.drafts[-1].until is None:
            self.end(self.drafts[-1].fence, at, Ending.CANCELLED, reason)
        self.finish("cancelled", at)

    def drop(self, snapshot: SnapshotId) -> None:
        self.dropped.add(snapshot)
        if self.state == "frozen":
            self.let_go()

    def segments(self, until: Millis) -> tuple[Segment, ...]:
        """Return its segments as they stand at *until*, with what survived."""
        kept = self._kept(until)
        is_discarded = self.state in {"failed", "cancelled"}
        return tuple(
            Segment(
                job=self.job,
                fence=draft.fence,
                node=draft.node,
                cores=draft.cores,
                is_thaw=draft.thaw_from is not None,
                since=min(draft.since, until),
                running_since=draft.running_since,
                thaw_ms=draft.thaw_ms,
                until=until if draft.until is None else min(max(draft.until, draft.since), until),
                ending=draft.ending,
                reason=draft.reason,
                freeze_ms=draft.freeze_ms,
                saves=tuple(draft.saves),
                kept_until=None if is_discarded else kept.get(place),
                is_discarded=is_discarded,
            )
            for place, draft in enumerate(self.drafts)
        )

    def _kept(self, until: Millis) -> dict[int, Millis]:
        """Return up to where the work of each segment survived, by its place: the chain of thaws, backwards from the end.

        What lies on no way from the beginning to where the job stands now (or would go on from) was done in vain.
        """
        kept: dict[int, Millis] = {}
        here = self._standing(until)
        while here is not None:
            place, safe_until = here
            kept[place] = safe_until
            here = self._origin(place)
        return kept

    def _standing(self, until: Millis) -> tuple[int, Millis] | None:
        last = len(self.drafts) - 1
        if last < 0:
            return None
        draft = self.drafts[last]
        if draft.ending is Ending.DONE:
            return last, draft.until or until
        newest = self._newest()
        if draft.ending is Ending.RUNNING and (newest is None or newest[0] < last):
            # It has not saved yet: nothing of itself is safe, but what it went on from is.
            return last, draft.since
        return newest

    def _newest(self) -> tuple[int, Millis] | None:
        return max((mark for snapshot, mark in self.marks.items() if snapshot not in self.dropped), default=None)

    def _origin(self, place: int) -> tuple[int, Millis] | None:
        # Dropped or not: on this way it was thawed, and what it held lives on in what came after.
        snapshot = self.drafts[place].thaw_from
        return None if snapshot is None else self.marks.get(snapshot)

    def _place(self, fence: Fence) -> int:
        for place in range(len(self.drafts) - 1, -1, -1):
            if self.drafts[place].fence == fence:
                return place
        msg = f"job {self.job} has no segment {fence} in the journal; restore the journal from its copy"
        raise BrokenHistory(msg)

    def _draft(self, fence: Fence) -> Draft:
        return self.drafts[self._place(fence)]
