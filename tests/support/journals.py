"""Journals made by hand: sequences of facts, told in seconds from START."""

import heapq
import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from idleq.ids import AllocationId, CommandId, EntryId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.scheduler.core.cause import Cause
from idleq.scheduler.core.commands import SegmentPlan
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
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.sitefacts import GapClosed, MainJobHeldUp, NodesSeen
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import ArrayRange, JobSpec, Submission

START = Millis(1_767_607_200_000)
"""2026-01-05 10:00:00 UTC."""

GB = 10**9
_PLAN = SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None)


def moment(seconds: float) -> Millis:
    """Return the engine time so many seconds after START."""
    return Millis(START + round(seconds * 1000))


def millis(seconds: float) -> Millis:
    """Return a duration in milliseconds."""
    return Millis(round(seconds * 1000))


@dataclass(slots=True)
class Story:
    """A journal that is being told: each method adds one fact at the time given (in seconds)."""

    facts: list[tuple[Millis, Fact]] = field(default_factory=list)
    commands: int = 0

    def tell(self, at: float, fact: Fact) -> None:
        self.facts.append((moment(at), fact))

    def in_order(self) -> list[tuple[Millis, Fact]]:
        """Return the facts by time; what was told at one time stays in order."""
        return sorted(self.facts, key=lambda pair: pair[0])

    def policy(self, at: float, policy: Policy) -> None:
        self.tell(at, PolicySet(policy=policy))

    def node(
        self,
        at: float,
        name: str,
        cores: int,
        busy: int = 0,
        *,
        main_job: str = "",
        is_up: bool = True,
        cause: Cause | None = None,
    ) -> None:
        report = NodeReport(
            name=NodeName(name),
            capacity=Resources(cores, 64 * GB),
            free=Resources(cores - busy, 64 * GB),
            is_up=is_up,
            main_job=main_job,
            cause=cause,
        )
        self.tell(at, NodesSeen(deltas=(report,), gone=()))

    def gone(self, at: float, name: str) -> None:
        self.tell(at, NodesSeen(deltas=(), gone=(NodeName(name),)))

    def gap_closed(self, at: float, name: str, opened: float, planned: float | None, warned: float = 0) -> None:
        self.tell(
            at,
            GapClosed(
                node=NodeName(name),
                opened_at=moment(opened),
                planned_end=None if planned is None else moment(planned),
                warned_ms=millis(warned),
            ),
        )

    def held_up(
        self, at: float, main_job: str, nodes: tuple[str, ...], waited: float, bound: float, alive: int
    ) -> None:
        self.tell(
            at,
            MainJobHeldUp(
                main_job=main_job,
                nodes=tuple(NodeName(node) for node in nodes),
                waited_ms=millis(waited),
                bound_ms=millis(bound),
                guests_alive=alive,
            ),
        )

    def submit(
        self,
        at: float,
        entry: int,
        cores: int,
        name: str = "count",
        *,
        user: str = "ada",
        array: ArrayRange | None = None,
    ) -> None:
        spec = JobSpec(name=name, argv=("true",), resources=Resources(cores, GB))
        submission = Submission(spec=spec, array=array)
        self.tell(at, EntryAdded(entry=EntryId(entry), submission=submission, request=f"r{entry}", user=user))

    def change(self, at: float, entry: int, cores: int, name: str = "count") -> None:
        spec = JobSpec(name=name, argv=("true",), resources=Resources(cores, GB))
        self.tell(at, EntryChanged(entry=EntryId(entry), spec=spec))

    def cancel_entry(self, at: float, entry: int) -> None:
        self.tell(at, EntryCancelled(entry=EntryId(entry), reason="cancelled"))

    def start(self, at: float, job: str, fence: int, node: str, thaw_from: str | None = None) -> None:
        self.commands += 1
        self.tell(
            at,
            SegmentStarted(
                job=JobId(job),
                fence=Fence(fence),
                allocation=AllocationId(f"a{self.commands}"),
                node=NodeName(node),
                plan=_PLAN,
                thaw_from=None if thaw_from is None else SnapshotId(thaw_from),
                command=CommandId(self.commands),
            ),
        )

    def run(self, at: float, job: str, fence: int, thaw: float = 0) -> None:
        self.tell(at, SegmentRunning(job=JobId(job), fence=Fence(fence), since=moment(at), thaw_ms=millis(thaw)))

    def save(self, at: float, job: str, fence: int, snapshot: str, save: float | None = None) -> None:
        self.tell(
            at,
            SegmentProgressed(
                job=JobId(job),
                fence=Fence(fence),
                step=1,
                total=None,
                saved=_snapshot(snapshot, fence, at),
                save_ms=None if save is None else millis(save),
            ),
        )

    def progress(self, at: float, job: str, fence: int, step: int) -> None:
        self.tell(
            at, SegmentProgressed(job=JobId(job), fence=Fence(fence), step=step, total=None, saved=None, save_ms=None)
        )

    def freeze(
        self, at: float, job: str, fence: int, snapshot: str, freeze: float = 0, reason: str = "the gap ends"
    ) -> None:
        self.tell(
            at,
            SegmentFrozen(
                job=JobId(job),
                fence=Fence(fence),
                snapshot=_snapshot(snapshot, fence, at),
                ended_at=moment(at),
                freeze_ms=millis(freeze),
                reason=reason,
                delayed_until=None,
            ),
        )

    def lose(self, at: float, job: str, fence: int, reason: str = "preempted") -> None:
        self.tell(
            at, SegmentLost(job=JobId(job), fence=Fence(fence), reason=reason, ended_at=moment(at), delayed_until=None)
        )

    def fail_segment(self, at: float, job: str, fence: int) -> None:
        self.tell(
            at,
            SegmentFailed(
                job=JobId(job),
                fence=Fence(fence),
                code=1,
                reason="exit code 1",
                ended_at=moment(at),
                delayed_until=moment(at),
            ),
        )

    def drop(self, at: float, job: str, snapshot: str) -> None:
        self.tell(at, SnapshotDropped(job=JobId(job), snapshot=SnapshotId(snapshot), reason="a checksum differs"))

    def done(self, at: float, job: str, fence: int) -> None:
        self.commands += 1
        self.tell(
            at,
            JobDone(
                job=JobId(job),
                fence=Fence(fence),
                ended_at=moment(at),
                digest="d" * 64,
                command=CommandId(self.commands),
            ),
        )

    def fail(self, at: float, job: str, fence: int) -> None:
        self.tell(at, JobFailed(job=JobId(job), fence=Fence(fence), code=1, reason="exit code 1", ended_at=moment(at)))

    def withdraw(self, at: float, job: str) -> None:
        self.tell(at, JobWithdrawn(job=JobId(job), reason="cancelled by ada"))

    def hold(self, at: float, job: str) -> None:
        self.tell(at, JobHeldBack(job=JobId(job), reason="held by ada"))

    def let_go(self, at: float, job: str) -> None:
        self.tell(at, JobLetGo(job=JobId(job)))


def _snapshot(name: str, fence: int, at: float) -> Snapshot:
    return Snapshot(
        id=SnapshotId(name), fence=Fence(fence), digest="d" * 64, bytes=10**6, taken_at=moment(at), run_ms=Millis(0)
    )


def small_cluster(seed: int = 1) -> list[tuple[Millis, Fact]]:
    """Return 20 minutes of four nodes with eight cores each, with three guests that move from gap to gap."""
    return _Cluster(nodes=4, cores=8, length=1200, jobs=3, seed=seed).facts()


def large_cluster(nodes: int, length: float, jobs: int, seed: int = 1) -> list[tuple[Millis, Fact]]:
    """Return the same kind of history at any size."""
    return _Cluster(nodes=nodes, cores=8, length=length, jobs=jobs, seed=seed).facts()


_Opening = tuple[float, float, str, bool]
"""A gap: since, until, the node, and whether its end was planned."""


@dataclass(slots=True)
class _Guest:
    entry: int
    cores: int
    left: float
    fence: int = 0
    snapshot: str | None = None


@dataclass(slots=True)
class _Cluster:
    """Main jobs come and go by a seeded dice; guests take each gap in turn, and are frozen before a planned end."""

    nodes: int
    cores: int
    length: float
    jobs: int
    seed: int
    story: Story = field(default_factory=Story)
    dice: random.Random = field(init=False)
    waiting: list[_Guest] = field(default_factory=list)

    def facts(self) -> list[tuple[Millis, Fact]]:
        self.dice = random.Random(self.seed)
        self.story.policy(0, Policy(freeze_ms=Millis(2000), thaw_ms=Millis(1500), min_gap_ms=Millis(15_000)))
        for entry in range(1, self.jobs + 1):
            guest = _Guest(entry, self.dice.choice((4, 8)), self.dice.uniform(0.15, 0.4) * min(self.length, 1200))
            names = ("train-cgan", "generate-cgan", "count")
            self.story.submit(entry * 2, entry, guest.cores, names[entry % 3])
            self.waiting.append(guest)
        gaps = [gap for node in range(1, self.nodes + 1) for gap in self._main_jobs(f"n{node}")]
        self._fill(gaps)
        return self.story.in_order()

    def _main_jobs(self, node: str) -> Iterator[_Opening]:
        at, number = 0.0, 0
        if self.dice.random() < 0.5:
            self.story.node(at, node, self.cores)
            at = yield from self._gap(at, node)
        while at < self.length:
            number += 1
            runs = self.dice.uniform(60, 260)
            self.story.node(at, node, self.cores, self.cores, main_job=f"main-{node}-{number}")
            at += runs
            if at < self.length:
                self.story.node(at, node, self.cores)
                at = yield from self._gap(at, node)

    def _gap(self, since: float, node: str) -> Generator[_Opening, None, float]:
        until = since + self.dice.choice((8, 20, 45, 90, 150, 220)) * self.dice.uniform(0.8, 1.2)
        is_planned = self.dice.random() < 0.7
        if until < self.length:
            warned = until - since if is_planned else 0
            self.story.gap_closed(until, node, since, until if is_planned else None, warned)
        yield since, until, node, is_planned
        return until

    def _fill(self, gaps: list[_Opening]) -> None:
        ready = [(2.0 * guest.entry, guest.entry, guest) for guest in self.waiting]
        heapq.heapify(ready)
        for since, until, node, is_planned in sorted(gaps):
            if until - since < 15 or not ready or ready[0][0] > until - 15:
                continue
            free_at, _, guest = heapq.heappop(ready)
            at = self._segment(guest, max(since, free_at) + 1, min(until, self.length), node, is_planned=is_planned)
            if at is not None:
                heapq.heappush(ready, (at, guest.entry, guest))

    def _segment(self, guest: _Guest, since: float, until: float, node: str, *, is_planned: bool) -> float | None:
        """Tell one segment; return when the job may go on, None if it is over."""
        job, story, dice = str(guest.entry), self.story, self.dice
        guest.fence += 1
        thaw = dice.uniform(1, 2) if guest.snapshot else 0.0
        freeze = dice.uniform(1.5, 3)
        story.start(since, job, guest.fence, node, guest.snapshot)
        up = since + 0.6 + thaw
        story.run(up, job, guest.fence, thaw)
        if up + guest.left < until - 4:
            story.done(up + guest.left, job, guest.fence)
            return None
        if until >= self.length:
            return None
        if is_planned:
            return self._frozen(guest, up, until - 1, freeze)
        return self._surprised(guest, up, until, node)

    def _frozen(self, guest: _Guest, up: float, ended: float, freeze: float) -> float:
        guest.snapshot = f"s{guest.entry}-{guest.fence}"
        self.story.freeze(ended, str(guest.entry), guest.fence, guest.snapshot, freeze)
        guest.left -= ended - freeze - up
        return ended

    def _surprised(self, guest: _Guest, up: float, until: float, node: str) -> float:
        job = str(guest.entry)
        at, saved = up + 20, up
        while at < until - 6:
            guest.snapshot = f"s{guest.entry}-{guest.fence}-{round(at)}"
            self.story.save(at, job, guest.fence, guest.snapshot, 0.5)
            saved = at - 0.5
            at += 20
        guest.left -= saved - up
        self.story.lose(until - 0.2, job, guest.fence)
        self.story.held_up(until, f"after-{job}", (node,), self.dice.uniform(0.1, 2), 10, 0)
        return until


def worked_example() -> list[tuple[Millis, Fact]]:
    """Return the 100 seconds of docs/explanation/utilisation.md: two nodes, one guest, three gaps."""
    story = Story()
    story.policy(0, Policy(freeze_ms=Millis(5000), thaw_ms=Millis(5000)))
    story.node(0, "n1", 4, 4, main_job="m1")
    story.node(0, "n2", 4, 4, main_job="m2")
    story.submit(5, 1, 2, "train-cgan")
    story.node(10, "n1", 4)
    story.start(11, "1", 1, "n1")
    story.run(12, "1", 1)
    story.freeze(40, "1", 1, "s1", 2)
    story.gap_closed(42, "n1", 10, 42, 30)
    story.node(42, "n1", 4, 4, main_job="m3")
    story.node(50, "n2", 4)
    story.start(52, "1", 2, "n2", "s1")
    story.run(54, "1", 2, 1)
    story.save(70, "1", 2, "s2", 1)
    story.lose(80, "1", 2)
    story.gap_closed(80, "n2", 50, None)
    story.node(80, "n2", 4, 4, main_job="m4")
    story.held_up(80, "m4", ("n2",), 1.5, 10, 0)
    story.node(90, "n1", 4)
    story.start(91, "1", 3, "n1", "s2")
    story.run(92, "1", 3, 0.5)
    story.done(98, "1", 3)
    story.gap_closed(100, "n1", 90, 100, 10)
    story.node(100, "n1", 4, 4, main_job="m5")
    return story.facts
