"""The gap oracle: how long a node stays free, as quantiles, and where that belief comes from."""

from dataclasses import dataclass, field

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.costs import quantile
from idleq.scheduler.core.inputs import NodeReport
from idleq.scheduler.core.policy import HOUR
from idleq.scheduler.core.resources import Resources

REMEMBERED_CLOSURES = 256
"""Closures kept for the correction of plans: some days of a small cluster."""

ENOUGH_CLOSURES = 8
"""With fewer a quantile of plan errors says nothing, and the plan is believed as it is."""


@dataclass(frozen=True, slots=True)
class GapEnd:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What main jobs leave free of a node, since when and until when."""

    node: NodeName
    free: Resources
    since: Millis
    end: GapEnd


@dataclass(slots=True)
class Foresight:
    """How good plans have been, from every gap that closed.

    Attributes:
        errors: closing time minus planned time, for gaps whose end was planned.
        surprises: gaps that closed with less notice than a freeze needs.
        exposure_ms: the length of all closed gaps together.
    """

    errors: list[Millis] = field(default_factory=list)
    surprises: int = 0
    exposure_ms: Millis = Millis(0)

    def learn(self, *, opened_at: Millis, closed_at: Millis, planned_end: Millis | None, is_surprise: bool) -> None:
        """Remember one closure."""
        self.exposure_ms = Millis(self.exposure_ms + closed_at - opened_at)
        self.surprises += is_surprise
        if planned_end is not None:
            self.errors.append(Millis(closed_at - planned_end))
            del self.errors[:-REMEMBERED_CLOSURES]

    @property
    def hazard(self) -> tuple[int, Millis]:
        """The rate of surprises, as a count and the time it was counted in; begins as one in an hour."""
        return self.surprises + 1, Millis(self.exposure_ms + HOUR)

    def end_of(self, report: NodeReport) -> GapEnd:
        """Return when the gap on this node ends, the plan corrected by how plans have erred."""
        planned = report.planned_start
        if planned is None:
            return UNKNOWN_END
        if len(self.errors) < ENOUGH_CLOSURES:
            return GapEnd(planned, planned, "the plan, not yet corrected")
        error = min(quantile(self.errors, 50), Millis(0))
        return GapEnd(
            Millis(planned + error),
            planned,
            f"the plan; of {len(self.errors)} before, one in twenty erred by {-error} ms or more",
        )
