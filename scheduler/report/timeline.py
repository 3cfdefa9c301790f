"""Facts -> what every node and every job did when. Pure; one pass; nothing is decided about meaning here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from idleq.ids import EntryId, JobId, Millis, NodeName, entry_of
from idleq.scheduler.core.cause import Cause, CauseKind
from idleq.scheduler.core.facts import (
    EntryAdded,
    EntryCancelled,
    EntryChanged,
    Fact,
    JobDone,
    JobFailed,
    JobHeldBack,
    JobLetGo,
    JobWithdrawn,
    PolicySet,
    SegmentFailed,
    SegmentFrozen,
    SegmentLost,
    SegmentProgressed,
    SegmentRunning,
    SegmentStarted,
    SnapshotDropped,
)
from idleq.scheduler.core.inputs import NodeReport
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.sitefacts import (
    GapClosed,
    MainJobHeldUp,
    NodesSeen,
    RequestsSlowed,
)
from idleq.scheduler.core.submission import JobSpec
from idleq.scheduler.report.errors import BrokenHistory
from idleq.scheduler.report.history import History
from idleq.scheduler.report.segment import Ending, Segment


@dataclass(frozen=True, slots=True)
class NodeStep:
    """A node from *at* on: *cores* of it count, and main jobs hold *busy* of them."""

    at: Millis
    cores: int
    busy: int
    main_job: str
    is_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """One job that has started at least once (or was held, cancelled as a job of its own): its whole story."""

    job: JobId
    name: str
    user: str
    state: str
    submitted_at: Millis
    ended_at: Millis | None
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What the journal says of a stretch of time.

    Attributes:
        since: its first fact.
        until: its end.
        facts: how many facts.
        nodes: the steps of every node, oldest first.
        jobs: the jobs that facts name, in the order in which they first started.
        unstarted: how many jobs never started and still may.
        cancelled_unstarted: how many were cancelled before they started.
        closures: what was foreseen of each gap that main jobs closed, by node and time.
        held_up: main jobs that started where guests had to leave.
        back_offs: how often idleq backed off for them.
        policies: every policy that was in force.
    """

    since: Millis
    until: Millis
    facts: int
    nodes: Mapping[NodeName, tuple[NodeStep, ...]]
    jobs: tuple[JobLine, ...]
    unstarted: int
    cancelled_unstarted: int
    closures: Mapping[tuple[NodeName, Millis], GapClosed]
    held_up: tuple[tuple[Millis, MainJobHeldUp], ...]
    back_offs: int
    policies: tuple[Policy, ...]


def read(facts: Iterable[tuple[Millis, Fact]], until: Millis | None) -> Timeline:
    """Read *facts* up to *until* (None: all of them, and the last one's time is the end)."""
    recorder = _Recorder()
    for at, fact in facts:
        if until is not None and at > until:
            break
        recorder.record(at, fact)
    return recorder.timeline(until)


@dataclass(slots=True)
class _Entry:
    added: EntryAdded
    at: Millis
    spec: JobSpec
    touched: int = 0
    is_cancelled: bool = False


@dataclass(slots=True)
class _Recorder:
    """Collects; the order of facts is the journal's."""

    first: Millis | None = None
    last: Millis = Millis(0)
    facts: int = 0
    entries: dict[EntryId, _Entry] = field(default_factory=dict)
    jobs: dict[JobId, History] = field(default_factory=dict)
    nodes: dict[NodeName, list[NodeStep]] = field(default_factory=dict)
    closures: dict[tuple[NodeName, Millis], GapClosed] = field(default_factory=dict)
    held_up: list[tuple[Millis, MainJobHeldUp]] = field(default_factory=list)
    back_offs: int = 0
    policies: list[Policy] = field(default_factory=list)

    def record(self, at: Millis, fact: Fact) -> None:
        self.first = at if self.first is None else self.first
        self.last = at
        self.facts += 1
        match fact:
            case SegmentStarted() | SegmentRunning() | SegmentProgressed() | SnapshotDropped():
                self._on_segment(at, fact)
            case SegmentFrozen() | SegmentLost() | SegmentFailed() | JobDone() | JobFailed() | JobWithdrawn():
                self._on_end(at, fact)
            case JobHeldBack(job=job):
                self._job(job).state = "held"
            case JobLetGo(job=job):
                self._job(job).let_go()
            case NodesSeen():
                self._on_nodes(at, fact)
            case GapClosed(node=node):
                self.closures[node, at] = fact
            case MainJobHeldUp():
                self.held_up.append((at, fact))
            case RequestsSlowed(for_harm=True):
                self.back_offs += 1
            case EntryAdded(entry=entry):
                self.entries[entry] = _Entry(fact, at, fact.submission.spec)
            case EntryChanged(entry=entry, spec=spec):
                self._entry(entry).spec = spec
            case EntryCancelled(entry=entry):
                self._entry(entry).is_cancelled = True
            case PolicySet(policy=policy):
                self.policies.append(policy)
            case _:
                # Pauses, allocations, plans and requests change what is decided, not who holds which cores.
                pass

    def timeline(self, until: Millis | None) -> Timeline:
        end = self.last if until is None else until
        untouched = [(entry, entry.added.submission.tasks - entry.touched) for entry in self.entries.values()]
        return Timeline(
            since=end if self.first is None else self.first,
            until=end,
            facts=self.facts,
            nodes={node: tuple(steps) for node, steps in self.nodes.items()},
            jobs=tuple(_line(history, end) for history in self.jobs.values()),
            unstarted=sum(count for entry, count in untouched if not entry.is_cancelled),
            cancelled_unstarted=sum(count for entry, count in untouched if entry.is_cancelled),
            closures=self.closures,
            held_up=tuple(self.held_up),
            back_offs=self.back_offs,
            policies=tuple(self.policies),
        )

    def _on_segment(
        self, at: Millis, fact: SegmentStarted | SegmentRunning | SegmentProgressed | SnapshotDropped
    ) -> None:
        job = self._job(fact.job)
        match fact:
            case SegmentStarted():
                job.start(at, fact, self._entry(entry_of(fact.job)).spec.resources.cores)
            case SegmentRunning():
                job.run(fact)
            case SegmentProgressed():
                job.progress(fact)
            case SnapshotDropped(snapshot=snapshot):
                job.drop(snapshot)

    def _on_end(
        self, at: Millis, fact: SegmentFrozen | SegmentLost | SegmentFailed | JobDone | JobFailed | JobWithdrawn
    ) -> None:
        job = self._job(fact.job)
        match fact:
            case SegmentFrozen():
                job.freeze(fact)
            case SegmentLost():
                job.end(fact.fence, fact.ended_at, Ending.LOST, fact.reason)
            case SegmentFailed():
                job.end(fact.fence, fact.ended_at, Ending.FAILED, fact.reason)
            case JobDone():
                job.end(fact.fence, fact.ended_at, Ending.DONE, "done")
                job.finish("done", fact.ended_at)
            case JobFailed():
                job.end(fact.fence, fact.ended_at, Ending.FAILED, fact.reason)
                job.finish("failed", fact.ended_at)
            case JobWithdrawn(reason=reason):
                job.withdraw(at, reason)

    def _on_nodes(self, at: Millis, fact: NodesSeen) -> None:
        for report in fact.deltas:
            self._step(report.name, _step(at, report))
        for node in fact.gone:
            self._step(node, NodeStep(at, 0, 0, "", is_up=False))

    def _step(self, node: NodeName, step: NodeStep) -> None:
        steps = self.nodes.setdefault(node, [])
        if steps and steps[-1].at == step.at:
            steps.pop()
        steps.append(step)

    def _entry(self, entry: EntryId) -> _Entry:
        try:
            return self.entries[entry]
        except KeyError:
            msg = f"entry {entry} is in no fact of the journal before its first use; restore the journal from its copy"
            raise BrokenHistory(msg) from None

    def _job(self, job: JobId) -> History:
        history = self.jobs.get(job)
        if history is None:
            entry = self._entry(entry_of(job))
            entry.touched += 1
            history = History(job, entry.spec, entry.added.user, entry.at)
            self.jobs[job] = history
        return history


CLEANING = Cause(CauseKind.CLOSED, "completing")
"""Slurm cleans up after a job, some seconds: the node has not failed, and what is free there is idle."""


def _step(at: Millis, report: NodeReport) -> NodeStep:
    cores, is_up = report.capacity.cores, report.is_up or report.cause == CLEANING
    busy = min(max(cores - report.free.cores, 0), cores)
    # Where nothing may be started there is nothing idle: only what main jobs still hold there counts.
    return NodeStep(at, cores if is_up else busy, busy, report.main_job, is_up)


def _line(history: History, until: Millis) -> JobLine:
    return JobLine(
        job=history.job,
        name=history.spec.name,
        user=history.user,
        state=history.state,
        submitted_at=history.submitted_at,
        ended_at=history.ended_at,
        segments=history.segments(until),
    )
