"""The last measurements of one kind, and what the next one is expected to take: so long, and so much longer for each byte."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from idleq.ids import Millis

REMEMBERED = 32
"""Measurements kept of each kind: enough for a 95 % quantile, few enough to follow a file system that changes."""

FEWEST = 4
"""Through fewer measurements no line is drawn."""

SPREAD = 8
"""Nor through any two whose sizes differ by less than the eighth part of the largest: the line between them would be noise."""

FRACTION = 32
"""Bits after the point of what a byte takes: the state holds whole numbers only."""


class Line(NamedTuple):
    """Milliseconds a byte (times 2 ** FRACTION), and what each measurement took beyond that, in order."""

    per_byte: int
    rest: tuple[int, ...]


@dataclass(slots=True)
class Recent:
    """The last measurements of one kind: as they came, and in order, so that a quantile is a look and no sorting.

    Attributes:
        values: what each took.
        sizes: the bytes that each was of.
        ordered: *values* in order.
        kept: how many are remembered.
    """

    values: list[Millis] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    ordered: list[Millis] = field(default_factory=list)
    kept: int = REMEMBERED
    _line: Line | None = field(default=None, compare=False, repr=False)
    _is_drawn: bool = field(default=False, compare=False, repr=False)

    def add(self, value: Millis, size: int = 0) -> bool:
        """Remember *value*, and forget what is too old; return whether quantiles may differ now."""
        self.values.append(value)
        self.sizes.append(size)
        is_full = len(self.values) > self.kept
        oldest = self.values.pop(0) if is_full else None
        oldest_size = self.sizes.pop(0) if is_full else None
        if oldest == value and oldest_size == size:
            return False
        self._is_drawn = False
        insort(self.ordered, value)
        if oldest is not None:
            del self.ordered[bisect_left(self.ordered, oldest)]
        return True

    def quantile(self, permille: int, unknown: Millis) -> Millis:
        """Return the smallest value that *permille* thousandths of them do not exceed; *unknown* if there is none."""
        ordered = self.ordered
        return ordered[rank_of(permille, len(ordered))] if ordered else unknown

    def expected(self, permille: int, size: int, unknown: Millis) -> Millis:
        """Return what *permille* thousandths of them would not exceed if they were of *size* bytes; *unknown* if there is none."""
        line = self._drawn()
        if line is None:
            return self.quantile(permille, unknown)
        return Millis(max((line.per_byte * size >> FRACTION) + line.rest[rank_of(permille, len(line.rest))], 0))

    def _drawn(self) -> Line | None:
        if not self._is_drawn:
            self._line, self._is_drawn = _line_through(self.sizes, self.values), True
        return self._line


def rank_of(permille: int, count: int) -> int:
    """Return the rank, from 0, of the smallest of *count* values in order that *permille* thousandths of them do not exceed."""
    return max(-(-permille * count // 1000), 1) - 1


def _line_through(sizes: list[int], took: list[Millis]) -> Line | None:
    """Return the line of the middle slope of all pairs that differ in size, which a third of wild measurements does not move; None if there are none.

    Theil, "A rank-invariant method of linear and polynomial regression analysis", 1950; Sen, JASA 63, 1968. What a freeze takes is
    linear in its bytes (arXiv:2307.12113), so it never takes less for more of them.
    """
    largest = max(sizes, default=0)
    if len(sizes) < FEWEST or (largest - min(sizes)) * SPREAD <= largest:
        return None
    slopes = sorted(
        ((took[one] - took[other]) << FRACTION) // (sizes[one] - sizes[other])
        for one, other in combinations(range(len(sizes)), 2)
        if abs(sizes[one] - sizes[other]) * SPREAD > largest
    )
    # Nothing takes less than no time before its first byte, so a byte takes no more than its share of the whole.
    shares = sorted((ms << FRACTION) // size for ms, size in zip(took, sizes, strict=True) if size)
    per_byte = min(max(slopes[len(slopes) // 2], 0), shares[len(shares) // 2])
    return Line(
        per_byte, tuple(sorted(ms - (per_byte * size >> FRACTION) for ms, size in zip(took, sizes, strict=True)))
    )
