"""The gap oracle: how long a node stays free, as quantiles, and where that belief comes from."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from msgspec import Struct

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.cause import Cause, in_words
from idleq.scheduler.core.confidence import TrackRecord
from idleq.scheduler.core.hazard import FIRST_PLACES, Hazard, Outlook
from idleq.scheduler.core.inputs import NodeReport
from idleq.scheduler.core.resources import Resources


class GapEnd(Struct, frozen=True, gc=False):
    """When a gap ends by the plan, None if no end is in sight, and what ends it; how far to trust that, `confidence` knows."""

    likely: Millis | None
    cause: Cause | None

    @property
    def source(self) -> str:
        """Where the belief comes from, for people."""
        return "no main job is planned here" if self.likely is None else in_words(self.cause)


UNKNOWN_END = GapEnd(None, None)


class Gap(Struct, frozen=True, gc=False):
    """What main jobs leave free of a node, since when and until when."""

    node: NodeName
    free: Resources
    since: Millis
    end: GapEnd


@dataclass(slots=True)
class Foresight:
    """How good plans have been, from every gap that closed, and how often gaps close by surprise.

    Attributes:
        record: how planned ends have come true.
        surprises: gaps that closed before their guests would have been frozen, planned end or not.
        hazard: how often that happens.
    """

    record: TrackRecord = field(default_factory=TrackRecord)
    surprises: int = 0
    hazard: Hazard = field(default_factory=Hazard)

    def learn(self, outlook: Outlook, closed_at: Millis, *, is_surprise: bool) -> None:
        """Remember one closure."""
        if is_surprise:
            self.surprises += 1
            self.hazard.surprise(outlook, closed_at)


def end_of(report: NodeReport) -> GapEnd:
    """Return when the gap on this node ends."""
    return UNKNOWN_END if report.planned_start is None else GapEnd(report.planned_start, report.cause)


Listed = list[tuple[int, NodeName]]
"""Nodes in the order of a site's list: the length of the name, then the name."""


@dataclass(slots=True)
class FreeNodes:
    """The nodes that have a gap, in the order in which sites list them: by name, shorter names first (n2 before n10)."""

    order: Listed = field(default_factory=list)

    def add(self, node: NodeName) -> None:
        """*node* has a gap now."""
        insort(self.order, (len(node), node))

    def drop(self, node: NodeName) -> None:
        """*node* has none any more."""
        del self.order[bisect_left(self.order, (len(node), node))]

    def first(self) -> Listed:
        """Return those whose places differ; all that follow are at the last place."""
        return self.order[:FIRST_PLACES]
