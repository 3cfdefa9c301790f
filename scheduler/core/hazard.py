"""How often gaps close by surprise, by all that a site shows of them: their age, their place among the free, their planned end."""

from bisect import bisect_right
from dataclasses import dataclass, field

from msgspec import Struct

from idleq.ids import Millis
from idleq.scheduler.core.policy import MINUTE

AGES = tuple(Millis(MINUTE * minutes) for minutes in (5, 20, 60, 180, 540, 1620))
"""Where one age of a gap ends and the next begins: the first is 5 minutes, the last a day and more."""

USUAL = tuple(Millis(MINUTE * minutes) for minutes in (15, 45, 95, 190, 340, 520, 1100))
"""The mean time to a surprise at each age where nothing was learned yet: what the logs of KTH, HPC2N and SDSC-BLUE have in common.

They differ by a factor of two at most once a gap is 5 minutes old. The rate falls as with a Weibull distribution of shape 0.5.
"""

NOTICE = Millis(10 * MINUTE)
"""The shortest time to a planned end that is told from others; each further one is twice as long."""

PLACES, NOTICES = 8, 10
"""So many places among the free nodes, and times to a planned end, are told apart: by powers of two, the last without an end."""

CELLS_OF_PLACE = NOTICES * (len(AGES) + 1)
LONGEST_NOTICE = 1 << (NOTICES - 3)
"""So many times the shortest notice, or more, are all the longest."""

TRUSTED_AT_AGE = 4
"""The prior weighs as much as so many surprises at each age."""

EXPECTED_MS = tuple(TRUSTED_AT_AGE * usual for usual in USUAL)
"""The time in which that many come at each age."""

TRUSTED_IN_CELL = 16
"""The rate of all gaps of an age weighs as much as so many surprises among those of one place and one notice."""

HOLDS = Millis(240 * MINUTE)
"""A gap stays at its place for so long or less: its neighbours are taken or come free, and then the rate of that place is not its own."""

TWICE_HOLDS = 2 * HOLDS


class Outlook(Struct, frozen=True, gc=False):
    """What a site shows of a gap.

    Attributes:
        since: when it opened.
        planned_end: when the plan ends it, None if it does not.
        place: how many free nodes stand before it in the site's list, as a power of two (see `place_of`).
    """

    since: Millis
    planned_end: Millis | None
    place: int


def place_of(free_before: int) -> int:
    """Return the place of a node with so many free ones before it: sites fill their nodes in an order."""
    return min(free_before.bit_length(), PLACES - 1)


FOREVER = 2**62
"""The last age has no end."""

FIRST_PLACES = 1 << (PLACES - 2)
"""Nodes with so many free ones before them, or more, are all at the last place."""


class Rates(Struct, frozen=True, gc=False):
    """How often surprises come in one cell, and at its age; all over one denominator, so that nothing is rounded.

    Attributes:
        until: the cell is left then, at the earliest.
        of_cell: its own rate, times 2 HOLDS.
        of_age: that of all gaps of the age.
        denominator: of both.
    """

    until: Millis
    of_cell: int
    of_age: int
    denominator: int

    def mean_ms(self, ahead_ms: int) -> Millis:
        """Return the mean time to a surprise for who looks so far *ahead*.

        The rate of a cell holds for about `HOLDS`; beyond, that of all gaps of the age does. In between the one passes into
        the other as the mean of exp(-t / HOLDS), here 1 / (1 + t / 2 HOLDS), which needs no more than quotients.
        """
        return Millis((TWICE_HOLDS + ahead_ms) * self.denominator // (self.of_cell + ahead_ms * self.of_age))


@dataclass(slots=True)
class Hazard:
    """Counts surprises, and the time in which they might have come, in cells of one age, one place and one notice."""

    ended: list[int] = field(default_factory=lambda: [0] * (PLACES * CELLS_OF_PLACE))
    exposed_ms: list[int] = field(default_factory=lambda: [0] * (PLACES * CELLS_OF_PLACE))
    ended_at_age: list[int] = field(default_factory=lambda: [0] * (len(AGES) + 1))
    exposed_at_age: list[int] = field(default_factory=lambda: [0] * (len(AGES) + 1))

    def expose(self, outlook: Outlook, begin: Millis, end: Millis) -> None:
        """Count that a gap stayed open from *begin* to *end*."""
        at = begin
        while at < end:
            age, cell, until = cell_of(outlook, at)
            until = min(end, until)
            self.exposed_ms[cell] += until - at
            self.exposed_at_age[age] += until - at
            at = until

    def surprise(self, outlook: Outlook, at: Millis) -> None:
        """Count that a gap has closed *at* a time that its guests could not foresee."""
        age, cell, _ = cell_of(outlook, Millis(max(outlook.since, at - 1)))
        self.ended[cell] += 1
        self.ended_at_age[age] += 1

    def rates(self, outlook: Outlook, at: Millis) -> "Rates":
        """Return how often surprises come *at* that time.

        A cell's own rate is drawn to that of its age, and this to the usual one, as with a gamma prior of so many surprises: few
        gaps make no rate of their own (Gelman et al., Bayesian Data Analysis, 2.6).
        """
        age, cell, until = cell_of(outlook, at)
        # Each rate is a count and the time that it was counted in.
        of_age, time_of_age = self.ended_at_age[age] + TRUSTED_AT_AGE, self.exposed_at_age[age] + EXPECTED_MS[age]
        in_cell = self.ended[cell] + TRUSTED_IN_CELL
        time_in_cell = self.exposed_ms[cell] + TRUSTED_IN_CELL * time_of_age // of_age
        return Rates(
            until,
            TWICE_HOLDS * in_cell * time_of_age,
            of_age * time_in_cell,
            time_in_cell * time_of_age,
        )


def cell_of(outlook: Outlook, at: Millis) -> tuple[int, int, Millis]:
    """Return the age of a gap at that time, the cell that it is counted in, and when it leaves that cell, at the earliest."""
    since, planned_end = outlook.since, outlook.planned_end
    age = bisect_right(AGES, at - since)
    cell = outlook.place * CELLS_OF_PLACE + age * NOTICES
    until = since + AGES[age] if age < len(AGES) else FOREVER
    if planned_end is None:
        return age, cell, Millis(until)
    if planned_end <= at:
        return age, cell + 1, Millis(until)
    # The next shorter notice begins when less than this power of two is left, or less than the shortest.
    left = (planned_end - at) // NOTICE
    if left == 0:
        notice, over = 1, int(planned_end)
    elif left < LONGEST_NOTICE:
        notice = 1 + left.bit_length()
        over = planned_end - (1 << notice - 2) * NOTICE + 1
    else:
        notice, over = NOTICES - 1, planned_end - LONGEST_NOTICE * NOTICE + 1
    return age, cell + notice, Millis(over if over < until else until)  # noqa: FURB136 - min takes three times as long
