"""Reckons, fact by fact, what guests' cores were held for; what counts as what is in docs/explanation/utilisation.md."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from idleq.ids import EntryId, Fence, JobId, Millis, entry_of
from idleq.scheduler.core.facts import (
    EntryAdded,
    Fact,
    JobDone,
    JobFailed,
    SegmentFailed,
    SegmentFrozen,
    SegmentLost,
    SegmentProgressed,
    SegmentRunning,
    SegmentStarted,
)
from idleq.scheduler.core.submission import JobSpec
from idleq.simulator.agents import saves_behind
from idleq.simulator.costs import GuestCosts
from idleq.simulator.events import MainStarted
from idleq.simulator.jobs import MainJob, node_number
from idleq.simulator.pieces import Part, Pieces
from idleq.simulator.tails import Held


@dataclass(slots=True)
class _Open:
    """A segment that has not ended; *base_ms* is the progress that it began with."""

    node: int
    begun: Millis
    cores: int
    base_ms: Millis
    is_ahead: bool
    up: Millis | None = None
    saved_ms: Millis = Millis(0)
    saves: int = 0
    save_ms: Millis = Millis(0)


@dataclass(slots=True)
class Ledger:
    """Listens to an experiment until *finish*.

    Attributes:
        costs: what guests cost there.
        unit_cores: how many cores each unit has that a main job holds.
        may_be_killed: whether main jobs may be.
        pieces: what was held by whom; main jobs too.
        held: of each ended segment: node, since, until, cores.
        segments, frozen, lost, done: how many segments ended, and how.
    """

    costs: GuestCosts
    unit_cores: int
    may_be_killed: bool = False
    pieces: Pieces = field(default_factory=Pieces)
    held: list[Held] = field(default_factory=list)
    segments: int = 0
    frozen: int = 0
    lost: int = 0
    done: int = 0
    _specs: dict[EntryId, JobSpec] = field(default_factory=dict)
    _progress: dict[JobId, Millis] = field(default_factory=dict)
    _main: dict[int, range] = field(default_factory=dict)
    _open: dict[tuple[JobId, Fence], _Open] = field(default_factory=dict)
    _left: set[tuple[int, Millis]] = field(default_factory=set)
    _is_over: bool = False

    def saw_start(self, at: Millis, started: MainStarted, /) -> None:
        """Note what a main job holds until its end."""
        if not self._is_over:
            ends, first = at + started.job.run, len(self.pieces)
            for node, units in zip(started.nodes, started.units, strict=True):
                self.pieces.add(Part.MAIN, node_number(node), at, ends, units * self.unit_cores)
            if self.may_be_killed:
                self._main[started.job.id] = range(first, len(self.pieces))

    def saw_kill(self, at: Millis, job: MainJob, /) -> None:
        """Note that a main job holds nothing any more, and did so for nothing."""
        if not self._is_over:
            for place in self._main.pop(job.id):
                self.pieces.kill_at(place, at)

    def saw_facts(self, at: Millis, facts: tuple[Fact, ...], /) -> None:
        """Take in what happened to a segment."""
        for fact in facts:
            self._saw(at, fact)

    def _saw(self, at: Millis, fact: Fact) -> None:
        if self._is_over:
            return
        match fact:
            case EntryAdded():
                self._specs[fact.entry] = fact.submission.spec
            case SegmentStarted():
                self._begin(at, fact)
            case SegmentRunning():
                self._run(fact)
            case SegmentProgressed(saved=saved, save_ms=save_ms) if saved is not None:
                self._progress[fact.job] = saved.run_ms
                segment = self._open[fact.job, fact.fence]
                segment.saved_ms, segment.saves = saved.run_ms, saves_behind(saved.id)
                segment.save_ms = save_ms or Millis(0)
            case SegmentFrozen():
                self.frozen += 1
                self._progress[fact.job] = fact.snapshot.run_ms
                self._end(fact.job, fact.fence, fact.ended_at, fact.snapshot.run_ms, fact.freeze_ms)
            case JobDone():
                self.done += 1
                self._end(fact.job, fact.fence, fact.ended_at, self.costs.run_of(self._specs[entry_of(fact.job)]))
            case SegmentLost() | SegmentFailed() | JobFailed():
                self.lost += 1
                self._end(fact.job, fact.fence, fact.ended_at, None)
            case _:
                pass

    def finish(self, until: Millis) -> None:
        """End here: what still runs has not saved what it did since its last save."""
        for segment in self._open.values():
            self._settle(segment, until, None, Millis(0), Part.UNSAVED)
        self._open.clear()
        self._is_over = True

    def main_held(self) -> Iterator[Held]:
        """Yield what main jobs held: node, since, until, cores."""
        pieces = self.pieces
        columns = zip(pieces.part, pieces.node, pieces.since, pieces.until, pieces.cores, strict=True)
        held = (Part.MAIN, Part.KILLED)
        return ((node, since, until, int(cores)) for part, node, since, until, cores in columns if part in held)

    def _begin(self, at: Millis, fact: SegmentStarted) -> None:
        base = self._progress.get(fact.job, Millis(0)) if fact.thaw_from is not None else Millis(0)
        cores = self._specs[entry_of(fact.job)].resources.cores
        self._open[fact.job, fact.fence] = _Open(node_number(fact.node), at, cores, base, fact.is_ahead, saved_ms=base)

    def _run(self, fact: SegmentRunning) -> None:
        segment = self._open[fact.job, fact.fence]
        if segment.is_ahead:
            # It held nothing while it waited for room.
            segment.begun = self._seated_at(segment, fact)
        segment.up = fact.since
        up = fact.since - fact.thaw_ms
        self.pieces.add(Part.START, segment.node, segment.begun, up, segment.cores)
        self.pieces.add(Part.THAW, segment.node, up, fact.since, segment.cores)

    def _seated_at(self, segment: _Open, fact: SegmentRunning) -> Millis:
        """Return when a segment bound ahead was given room: some other one left it then, or it waited for its image as well."""
        seated = Millis(fact.since - (fact.thaw_ms or self.costs.launch_ms))
        if not self.costs.image_ms or seated == segment.begun or (segment.node, seated) in self._left:
            return seated
        return Millis(max(segment.begun, seated - self.costs.image_ms))

    def _end(self, job: JobId, fence: Fence, at: Millis, run_ms: Millis | None, freeze_ms: Millis = Millis(0)) -> None:
        """Count a segment that brought its job to *run_ms* (None: no further than its last save)."""
        self.segments += 1
        segment = self._open.pop((job, fence))
        if self.costs.image_ms:
            self._left.add((segment.node, at))
        self._settle(segment, at, run_ms, freeze_ms, Part.LOST)

    def _settle(self, segment: _Open, at: Millis, run_ms: Millis | None, freeze_ms: Millis, rest: Part) -> None:
        node, cores, up = segment.node, segment.cores, segment.up
        if up is None:
            if not segment.is_ahead:
                self.held.append((node, segment.begun, at, cores))
                self.pieces.add(Part.START, node, segment.begun, at, cores)
            return
        self.held.append((node, segment.begun, at, cores))
        work_end = at - freeze_ms
        if run_ms is None:
            run_ms = segment.saved_ms
            saved_until = min(work_end, up + run_ms - segment.base_ms + segment.saves * segment.save_ms)
        else:
            saved_until = work_end
        # Saves lie between the work: each stretch of both is counted as a mean of the two.
        useful = (run_ms - segment.base_ms) / max(1, saved_until - up)
        self.pieces.add(Part.USEFUL, node, up, saved_until, cores * useful)
        self.pieces.add(Part.SAVE, node, up, saved_until, cores * (1 - useful))
        self.pieces.add(rest, node, saved_until, work_end, cores)
        self.pieces.add(Part.FREEZE, node, work_end, at, cores)
