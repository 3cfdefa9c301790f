"""The gap oracle: how long a node stays free, as quantiles, and where that belief comes from."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.costs import quantile
from idleq.scheduler.core.inputs import NodeReport
from idleq.scheduler.core.policy import HOUR, MINUTE
from idleq.scheduler.core.resources import Resources

REMEMBERED_CLOSURES = 256
"""Closures kept for the correction of plans: some days of a small cluster."""

ENOUGH_CLOSURES = 8
"""With fewer a quantile of plan errors says nothing, and the plan is believed as it is."""


AGES = tuple(Millis(MINUTE * 2**power) for power in range(11))
"""Where one age of a gap ends and the next begins: from a minute to 17 hours."""

TRUSTED_SURPRISES = 4
"""The overall rate weighs as much as so many surprises at an age, so that a few do not make a rate of their own."""


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
    """How good plans have been, from every gap that closed.

    Attributes:
        errors: closing time minus planned time, for gaps whose end was planned.
        surprises: gaps that closed before their guests would have been frozen, planned end or not.
        exposure_ms: the length of all closed gaps together.
        surprises_at, exposure_at: the same by how old the gap was.
    """

    errors: list[Millis] = field(default_factory=list)
    surprises: int = 0
    exposure_ms: Millis = Millis(0)
    surprises_at: list[int] = field(default_factory=lambda: [0] * (len(AGES) + 1))
    exposure_at: list[Millis] = field(default_factory=lambda: [Millis(0)] * (len(AGES) + 1))

    def learn(self, *, opened_at: Millis, closed_at: Millis, planned_end: Millis | None, is_surprise: bool) -> None:
        """Remember one closure."""
        self.exposure_ms = Millis(self.exposure_ms + closed_at - opened_at)
        self.surprises += is_surprise
        length, last = closed_at - opened_at, bisect_right(AGES, closed_at - opened_at)
        self.surprises_at[last] += is_surprise
        for age, begin in enumerate((Millis(0), *AGES[:last])):
            end = length if age == last else AGES[age]
            self.exposure_at[age] = Millis(self.exposure_at[age] + end - begin)
        if planned_end is not None:
            self.errors.append(Millis(closed_at - planned_end))
            del self.errors[:-REMEMBERED_CLOSURES]

    @property
    def hazard(self) -> tuple[int, Millis]:
        """The rate of surprises, as a count and the time it was counted in; begins as one in an hour."""
        return self.surprises + 1, Millis(self.exposure_ms + HOUR)

    def hazard_at(self, age_ms: Millis) -> tuple[int, Millis]:
        """The rate of surprises in gaps that are *age_ms* old: the longer a gap has lasted, the longer it goes on."""
        age = bisect_right(AGES, age_ms)
        surprises, exposure = self.hazard
        trusted = TRUSTED_SURPRISES * exposure // surprises
        return self.surprises_at[age] + TRUSTED_SURPRISES, Millis(self.exposure_at[age] + trusted)

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
