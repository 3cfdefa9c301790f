"""How far the planned end of a gap can be trusted, by how such ends have come true before.

What is learned of each closed gap is a ratio: how long it lasted from when an end was first named, over how long it was said to last. The
next ratio of a kind of cause is believed to be distributed as

    F_kind(x) = (n F_n(x) + M F_all(x)) / (n + M)        F_all(x) = (N F_N(x) + M F_0(x)) / (N + M)

with F_n what was seen of the kind in n cases, F_N of all kinds in N cases, and F_0 what is believed before anything was seen. That is the
mean of a Dirichlet process after n observations, whose base of weight M is the level above (Ferguson, A Bayesian analysis of some
nonparametric problems, Annals of Statistics 1, 1973): few cases are drawn to those of all kinds, and these to F_0. An error is taken to
grow as the time that is planned ahead, which ratios say.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from idleq.ids import Millis
from idleq.scheduler.core.cause import CauseKind
from idleq.scheduler.core.recent import Recent

REMEMBERED = 256
"""Closures kept of each kind: some days of a small cluster."""

WEIGHT = 8
"""M: what is believed beforehand weighs as much as so many cases."""

WHOLE = 1000
"""A ratio of 1: the gap lasted exactly as long as was said."""

ON_TIME = 950
"""From here on a planned end has come true: looks are seconds apart, and so are what they see."""

LONGEST = 10 * WHOLE
EARLY_OF = 20
"""One gap in so many ends earlier than is said of it."""


class Belief(NamedTuple):
    """What is believed of planned ends of one kind.

    Attributes:
        early: one in twenty comes before this part of its time, in thousandths.
        percent: so many of a hundred come true.
        cases: how many of the kind were seen.
    """

    early: int
    percent: int
    cases: int

    def earliest(self, end: Millis, now: Millis) -> Millis:
        """Return when a gap that is planned to last until *end* ends at the earliest, but for one in twenty."""
        return end if end <= now else Millis(now + (end - now) * self.early // WHOLE)


@dataclass(slots=True)
class TrackRecord:
    """How planned ends have come true: ratios in thousandths, of each kind and of all."""

    of_kind: dict[CauseKind, Recent] = field(default_factory=dict)
    of_all: Recent = field(default_factory=lambda: Recent(kept=REMEMBERED))

    def learn(self, kind: CauseKind, named_at: Millis, named_end: Millis, closed_at: Millis) -> None:
        """Remember a gap that closed, of which *named_end* was first said at *named_at*."""
        if named_end <= named_at:
            return
        ratio = Millis(min((closed_at - named_at) * WHOLE // (named_end - named_at), LONGEST))
        self.of_kind.setdefault(kind, Recent(kept=REMEMBERED)).add(ratio)
        self.of_all.add(ratio)

    def belief(self, kind: CauseKind) -> Belief:
        """Return what is believed of ends of that kind."""
        seen = self.of_kind.get(kind)
        mine: Sequence[Millis] = seen.ordered if seen is not None else ()
        low, high = 0, WHOLE
        while low < high:  # the smallest ratio that one in twenty does not exceed
            middle = (low + high) // 2
            share, of = self._below(mine, middle)
            low, high = (low, middle) if share * EARLY_OF >= of else (middle + 1, high)
        share, of = self._below(mine, ON_TIME - 1)
        return Belief(early=low, percent=100 * (of - share) // of, cases=len(mine))

    def _below(self, mine: Sequence[Millis], ratio: int) -> tuple[int, int]:
        """Return F_kind(*ratio*) as a fraction."""
        every = self.of_all.ordered
        of_all = 2 * WHOLE * bisect_right(every, ratio) + WEIGHT * _before(ratio)
        all_cases = len(every) + WEIGHT
        share = 2 * WHOLE * all_cases * bisect_right(mine, ratio) + WEIGHT * of_all
        return share, 2 * WHOLE * all_cases * (len(mine) + WEIGHT)


def _before(ratio: int) -> int:
    """Return F_0(*ratio*) in parts of 2 * `WHOLE`: every other plan holds, and the rest ends at any time before, equally likely."""
    return 2 * WHOLE if ratio >= WHOLE else max(ratio, 0)
