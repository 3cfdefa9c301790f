"""The gap oracle: how long a node stays free, as quantiles, and where that belief comes from."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import NamedTuple

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.costs import Recent
from idleq.scheduler.core.hazard import FIRST_PLACES, Hazard, Outlook
from idleq.scheduler.core.inputs import NodeReport
from idleq.scheduler.core.resources import Resources

REMEMBERED_CLOSURES = 256
"""Closures kept for the correction of plans: some days of a small cluster."""

ENOUGH_CLOSURES = 8
"""With fewer a quantile of plan errors says nothing, and the plan is believed as it is."""


class GapEnd(NamedTuple):
    """When a gap ends.

    Attributes:
        early: it ends before this in one of twenty cases; None if no end is in sight.
        likely: the plan's own end.
        source: where the belief comes from, for people.
    """

    early: Millis | None
    likely: Millis | None
    source: str


UNKNOWN_END = GapEnd(None, None, "no main job is planned here")


class Gap(NamedTuple):
    """What main jobs leave free of a node, since when and until when."""

    node: NodeName
    free: Resources
    since: Millis
    end: GapEnd


@dataclass(slots=True)
class Foresight:
    """How good plans have been, from every gap that closed, and how often gaps close by surprise.

    Attributes:
        errors: closing time minus planned time, for gaps whose end was planned.
        surprises: gaps that closed before their guests would have been frozen, planned end or not.
        hazard: how often that happens.
    """

    errors: Recent = field(default_factory=lambda: Recent(kept=REMEMBERED_CLOSURES))
    surprises: int = 0
    hazard: Hazard = field(default_factory=Hazard)

    def learn(self, outlook: Outlook, closed_at: Millis, *, is_surprise: bool) -> None:
        """Remember one closure."""
        if is_surprise:
            self.surprises += 1
            self.hazard.surprise(outlook, closed_at)
        if outlook.planned_end is not None:
            self.errors.add(Millis(closed_at - outlook.planned_end))

    def end_of(self, report: NodeReport) -> GapEnd:
        """Return when the gap on this node ends, the plan corrected by how plans have erred."""
        planned = report.planned_start
        if planned is None:
            return UNKNOWN_END
        known = len(self.errors.values)
        if known < ENOUGH_CLOSURES:
            return GapEnd(planned, planned, "the plan, not yet corrected")
        error = min(self.errors.quantile(50, Millis(0)), Millis(0))
        return GapEnd(
            Millis(planned + error),
            planned,
            f"the plan; of {known} before, one in twenty erred by {-error} ms or more",
        )


@dataclass(slots=True)
class FreeNodes:
    """The nodes that have a gap, in the order in which sites list them: by name, shorter names first (n2 before n10)."""

    order: list[tuple[int, NodeName]] = field(default_factory=list)

    def add(self, node: NodeName) -> None:
        """*node* has a gap now."""
        insort(self.order, (len(node), node))

    def drop(self, node: NodeName) -> None:
        """*node* has none any more."""
        del self.order[bisect_left(self.order, (len(node), node))]

    def first(self) -> list[NodeName]:
        """Return those whose places differ; all that follow are at the last place."""
        return [name for _, name in self.order[:FIRST_PLACES]]
