"""Which node did what when, as stretches to draw; a large history is drawn coarsely."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from idleq.ids import Millis, NodeName
from idleq.scheduler.report.segment import Segment
from idleq.scheduler.report.series import Binner, Series
from idleq.scheduler.report.slices import Slice
from idleq.scheduler.report.timeline import JobLine, NodeStep

MOST_ROWS = 300
"""More rows than this cannot be told apart: neighbours share one."""

MOST_STRETCHES = 6000
"""More stretches than this make the page slow and are narrower than a pixel: then only who held most is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MainStretch:
    """Main jobs hold *cores* of the row's."""

    since_ms: int
    until_ms: int
    cores: int
    main_job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStretch:
    """What a guest's cores did, as in Kind."""

    kind: str
    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStretch:
    """One segment.

    Attributes:
        job: whose.
        fence: its number.
        lane: the first of the row's cores that it is drawn on; which cores it really had is not recorded.
        cores: how many.
        since_ms: its start.
        until_ms: its end.
        ending: how it ended.
        reason: why, in words.
        phases: what its cores did.
    """

    job: str
    fence: int
    lane: int
    cores: int
    since_ms: int
    until_ms: int
    ending: str
    reason: str
    phases: tuple[PhaseStretch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseStretch:
    """Most of the row's cores were with *role*: "main", "guests" or "idle"."""

    since_ms: int
    until_ms: int
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GanttRow:
    """One node, or the neighbours from *node* to *last_node* drawn as one; a coarse row has only *coarse* stretches."""

    node: str
    last_node: str
    nodes: int
    cores: int
    main: tuple[MainStretch, ...] = ()
    down: tuple[tuple[int, int], ...] = ()
    guests: tuple[GuestStretch, ...] = ()
    coarse: tuple[CoarseStretch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A job left one row and went on in another."""

    job: str
    from_row: int
    from_fence: int
    to_row: int
    to_fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gantt:
    """The chart: *is_coarse* if single segments are not drawn, with up to *nodes_per_row* nodes in a row."""

    is_coarse: bool
    nodes_per_row: int
    rows: tuple[GanttRow, ...]
    moves: tuple[Move, ...]


def natural(node: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key that puts n2 before n10."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", node) if part)


@dataclass(frozen=True, slots=True)
class NodeLine:
    """Everything about one node."""

    node: NodeName
    steps: Sequence[NodeStep]
    segments: Sequence[Segment]
    pieces: Sequence[Slice]


@dataclass(slots=True)
class Drawing:
    """The chart in the making; nodes are added in the order in which they are drawn."""

    nodes: int
    stretches: int
    since: Millis
    until: Millis
    rows: list[GanttRow]
    bundle: list[NodeLine]

    @property
    def nodes_per_row(self) -> int:
        return max(1, -(-self.nodes // MOST_ROWS))

    @property
    def is_coarse(self) -> bool:
        return self.nodes_per_row > 1 or self.stretches > MOST_STRETCHES

    def add(self, line: NodeLine) -> None:
        if not self.is_coarse:
            self.rows.append(_row(line))
            return
        self.bundle.append(line)
        if len(self.bundle) == self.nodes_per_row:
            self._draw_bundle()

    def gantt(self, jobs: Iterable[JobLine]) -> Gantt:
        if self.bundle:
            self._draw_bundle()
        return Gantt(
            is_coarse=self.is_coarse,
            nodes_per_row=self.nodes_per_row,
            rows=tuple(self.rows),
            moves=() if self.is_coarse else tuple(_moves(self.rows, jobs)),
        )

    def _draw_bundle(self) -> None:
        binner = Binner(self.since, self.until)
        for line in self.bundle:
            for piece in line.pieces:
                binner.add(piece)
        names = [line.node for line in self.bundle]
        self.rows.append(
            GanttRow(
                node=names[0],
                last_node=names[-1],
                nodes=len(names),
                cores=sum(_cores(line.steps) for line in self.bundle),
                coarse=tuple(_coarse(binner.series(), self.until)),
            )
        )
        self.bundle.clear()


def _row(line: NodeLine) -> GanttRow:
    return GanttRow(
        node=line.node,
        last_node=line.node,
        nodes=1,
        cores=_cores(line.steps),
        main=tuple(_main(line.pieces)),
        down=tuple((run[0].since, run[-1].until) for is_up, run in _runs_up(line.pieces) if not is_up),
        guests=tuple(_guests(line.segments)),
    )


def _cores(steps: Iterable[NodeStep]) -> int:
    return max((step.cores for step in steps), default=0)


def _runs_up(pieces: Iterable[Slice]) -> list[tuple[bool, list[Slice]]]:
    return [(is_up, list(run)) for is_up, run in groupby(pieces, key=lambda piece: piece.is_up)]


def _main(pieces: Iterable[Slice]) -> Iterable[MainStretch]:
    for (cores, main_job), group in groupby(pieces, key=lambda piece: (piece.main, piece.main_job)):
        if cores:
            run = list(group)
            yield MainStretch(since_ms=run[0].since, until_ms=run[-1].until, cores=cores, main_job=main_job)


def _guests(segments: Iterable[Segment]) -> Iterable[GuestStretch]:
    taken: list[tuple[int, int, Millis]] = []
    for segment in sorted(segments, key=lambda one: (one.since, one.job)):
        taken = [lane for lane in taken if lane[2] > segment.since]
        first = _lowest(taken, segment.cores)
        taken.append((first, first + segment.cores, segment.until))
        yield GuestStretch(
            job=segment.job,
            fence=segment.fence,
            lane=first,
            cores=segment.cores,
            since_ms=segment.since,
            until_ms=segment.until,
            ending=segment.ending,
            reason=segment.reason,
            phases=tuple(
                PhaseStretch(kind=phase.kind, since_ms=phase.since, until_ms=phase.until) for phase in segment.phases()
            ),
        )


def _lowest(taken: Iterable[tuple[int, int, Millis]], cores: int) -> int:
    """Return the lowest place for *cores* neighbouring cores beside those that are taken."""
    first = 0
    for low, high, _ in sorted(taken):
        if low - first >= cores:
            return first
        first = max(first, high)
    return first


def _coarse(series: Series, until: Millis) -> Iterable[CoarseStretch]:
    roles = [
        max(("idle", idle), ("guests", useful + unsaved + overhead), ("main", main), key=lambda pair: pair[1])[0]
        for main, useful, unsaved, overhead, idle in zip(
            series.main_cores,
            series.useful_cores,
            series.unsaved_cores,
            series.overhead_cores,
            series.idle_cores,
            strict=True,
        )
    ]
    at = series.since_ms
    for role, run in groupby(roles):
        end = at + len(list(run)) * series.step_ms
        if role != "idle":
            yield CoarseStretch(since_ms=at, until_ms=min(end, until), role=role)
        at = end


def _moves(rows: Sequence[GanttRow], jobs: Iterable[JobLine]) -> Iterable[Move]:
    places = {row.node: place for place, row in enumerate(rows)}
    for job in jobs:
        for one, other in pairwise(job.segments):
            if other.is_thaw and one.node != other.node and {one.node, other.node} <= places.keys():
                yield Move(
                    job=job.job,
                    from_row=places[one.node],
                    from_fence=one.fence,
                    to_row=places[other.node],
                    to_fence=other.fence,
                )
