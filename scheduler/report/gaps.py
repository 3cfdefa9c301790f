"""The gaps that main jobs left: how long, how they closed, and what was left unused behind the last guest."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.sitefacts import GapClosed
from idleq.scheduler.report.slices import Slice

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

EDGES_S = (
    *(1, 2, 5, 10, 20, 30),
    *(_MINUTE * minutes for minutes in (1, 2, 5, 10, 20, 30)),
    *(_HOUR * hours for hours in (1, 2, 4, 8, 12)),
    *(_DAY * days for days in (1, 2, 4, 7, 14, 30)),
)
"""Where the histogram's bins meet: about two or three times the length each, at lengths that people name."""


class Closing(StrEnum):
    """How a gap ended."""

    #: At the time that the plan had named, or later.
    PLANNED = "as planned"
    #: Before the time that the plan had named.
    EARLY = "earlier than planned"
    #: Taken by a main job that the plan had not named.
    SURPRISE = "without notice"
    #: The node went down or away.
    DOWN = "node down"
    #: Main jobs took part of the node, or the journal says nothing of what was planned.
    UNTOLD = "plan not recorded"
    #: It was still open where the report ends.
    OPEN = "still open"


class Gap(NamedTuple):
    """Cores of one node that main jobs left free together and took together."""

    node: NodeName
    since: Millis
    until: Millis
    cores: int
    closing: Closing
    tail_core_ms: int

    @property
    def length_ms(self) -> int:
        return self.until - self.since

    @property
    def area_core_ms(self) -> int:
        return self.length_ms * self.cores


@dataclass(slots=True)
class GapFinder:
    """Cuts the free cores of one node over time into gaps.

    Cores have no names here: those that came free last are taken first, and guests sit on those that have been free
    longest. So the gaps' areas sum to the free area exactly, whatever part of a node main jobs take.

    Attributes:
        node: which node.
        closures: what was foreseen of gaps that main jobs closed.
        open: start and cores of each open gap, oldest first.
        left_at: for each core in that order, when a guest last left it.
        held: how many of them guests hold.
    """

    node: NodeName
    closures: Mapping[tuple[NodeName, Millis], GapClosed]
    open: list[tuple[Millis, int]] = field(default_factory=list)
    left_at: list[Millis | None] = field(default_factory=list)
    held: int = 0

    def follow(self, piece: Slice) -> list[Gap]:
        """Take in the next slice; return the gaps that closed where it begins."""
        closed = self._shrink(piece) if piece.free < len(self.left_at) else []
        if piece.free > len(self.left_at):
            self.open.append((piece.since, piece.free - len(self.left_at)))
            self.left_at.extend([None] * (piece.free - len(self.left_at)))
        held = piece.held
        if held < self.held:
            self.left_at[held : self.held] = [piece.since] * (min(self.held, len(self.left_at)) - held)
        self.held = held
        return closed

    def finish(self, until: Millis) -> list[Gap]:
        """Return the gaps that are open at the end of the report, or close with it."""
        closing = self._foreseen(until) if (self.node, until) in self.closures else Closing.OPEN
        return [self._close(since, cores, until, closing) for since, cores in reversed(self.open)]

    def _shrink(self, piece: Slice) -> list[Gap]:
        closing = self._foreseen(piece.since) if piece.is_up else Closing.DOWN
        gaps = []
        excess = len(self.left_at) - piece.free
        while excess > 0:
            since, cores = self.open.pop()
            taken = min(cores, excess)
            if cores > taken:
                self.open.append((since, cores - taken))
            gaps.append(self._close(since, taken, piece.since, closing))
            excess -= taken
        return gaps

    def _close(self, since: Millis, cores: int, at: Millis, closing: Closing) -> Gap:
        first = len(self.left_at) - cores
        behind = self.left_at[max(first, self.held) :]
        del self.left_at[first:]
        # Of an open gap nobody knows yet whether another guest comes.
        tail = 0 if closing is Closing.OPEN else sum(at - left for left in behind if left is not None)
        return Gap(self.node, since, at, cores, closing, tail)

    def _foreseen(self, at: Millis) -> Closing:
        closure = self.closures.get((self.node, at))
        if closure is None:
            return Closing.UNTOLD
        if closure.planned_end is None:
            return Closing.SURPRISE
        return Closing.EARLY if at < closure.planned_end else Closing.PLANNED


@dataclass(frozen=True, slots=True, kw_only=True)
class GapBin:
    """Gaps of about one length: at least *from_s*, less than *to_s* (None: no limit)."""

    from_s: int
    to_s: int | None
    gaps: int
    idle_core_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingRow:
    """Gaps that closed in one way."""

    closing: Closing
    gaps: int
    idle_core_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """All gaps of the report; those open at its start or end count with the part inside it.

    Attributes:
        gaps: how many.
        idle_core_s: their area: all that main jobs left free.
        median_ms: half of them were shorter.
        longest_ms: the longest.
        tail_waste_core_s: gap time after the last guest had left, of the gaps that had one.
        freeze_ms: what a freeze cost: the median of those measured, else the policy's.
        thaw_ms: the same for thaws.
        is_measured: whether both were measured.
        harvestable_core_s: the sum of max(0, length - thaw - freeze) over the gaps, times their cores.
        warned_ms_median: of the gaps that main jobs closed: how long before, the plan first named an end.
        histogram: by length; empty bins at either end are left out.
        closings: by how they closed; ways that did not occur are left out.
    """

    gaps: int
    idle_core_s: float
    median_ms: int | None
    longest_ms: int | None
    tail_waste_core_s: float
    freeze_ms: int
    thaw_ms: int
    is_measured: bool
    harvestable_core_s: float
    warned_ms_median: int | None
    histogram: tuple[GapBin, ...]
    closings: tuple[ClosingRow, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a freeze and a thaw take."""

    freeze_ms: Millis
    thaw_ms: Millis
    is_measured: bool


def summarise(gaps: Sequence[Gap], cost: Cost, closures: Iterable[GapClosed]) -> Gaps:
    """Count and weigh *gaps*."""
    lengths = sorted(gap.length_ms for gap in gaps)
    overhead = cost.freeze_ms + cost.thaw_ms
    return Gaps(
        gaps=len(gaps),
        idle_core_s=sum(gap.area_core_ms for gap in gaps) / 1000,
        median_ms=median(lengths),
        longest_ms=lengths[-1] if lengths else None,
        tail_waste_core_s=sum(gap.tail_core_ms for gap in gaps) / 1000,
        freeze_ms=cost.freeze_ms,
        thaw_ms=cost.thaw_ms,
        is_measured=cost.is_measured,
        harvestable_core_s=sum(max(0, gap.length_ms - overhead) * gap.cores for gap in gaps) / 1000,
        warned_ms_median=median(sorted(closure.warned_ms for closure in closures)),
        histogram=_histogram(gaps),
        closings=_closings(gaps),
    )


def median(ordered: Sequence[int]) -> int | None:
    """Return the middle value, the lower of two: one that did occur."""
    return ordered[(len(ordered) - 1) // 2] if ordered else None


def _histogram(gaps: Iterable[Gap]) -> tuple[GapBin, ...]:
    counts: Counter[int] = Counter()
    areas: Counter[int] = Counter()
    for gap in gaps:
        place = bisect_right(EDGES_S, gap.length_ms / 1000)
        counts[place] += 1
        areas[place] += gap.area_core_ms
    if not counts:
        return ()
    edges: tuple[int | None, ...] = (0, *EDGES_S, None)
    return tuple(
        GapBin(from_s=edges[place] or 0, to_s=edges[place + 1], gaps=counts[place], idle_core_s=areas[place] / 1000)
        for place in range(min(counts), max(counts) + 1)
    )


def _closings(gaps: Iterable[Gap]) -> tuple[ClosingRow, ...]:
    counts: Counter[Closing] = Counter()
    areas: Counter[Closing] = Counter()
    for gap in gaps:
        counts[gap.closing] += 1
        areas[gap.closing] += gap.area_core_ms
    return tuple(
        ClosingRow(closing=closing, gaps=counts[closing], idle_core_s=areas[closing] / 1000)
        for closing in Closing
        if counts[closing]
    )
