"""What freezing and thawing cost, learned per workload from what was measured: so long, and so much longer for each byte."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from msgspec import Struct

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
        return ordered[_place(permille, len(ordered))] if ordered else unknown

    def expected(self, permille: int, size: int, unknown: Millis) -> Millis:
        """Return what *permille* thousandths of them would not exceed if they were of *size* bytes; *unknown* if there is none."""
        line = self._drawn()
        if line is None:
            return self.quantile(permille, unknown)
        return Millis(max((line.per_byte * size >> FRACTION) + line.rest[_place(permille, len(line.rest))], 0))

    def _drawn(self) -> Line | None:
        if not self._is_drawn:
            self._line, self._is_drawn = _line_through(self.sizes, self.values), True
        return self._line


def _place(permille: int, count: int) -> int:
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


class Typical(Struct, frozen=True, gc=False):
    """What plans take one workload to be like.

    Attributes:
        freeze_ms: what 95 % of its freezes keep.
        longest_freeze_ms: what 99 % of them keep.
        save_ms: the middle of what a save takes.
        thaw_ms: the middle of what a thaw takes.
        slow_thaw_ms: what 95 % of its thaws keep.
        bytes: what its newest snapshot weighs.
    """

    freeze_ms: Millis
    longest_freeze_ms: Millis
    save_ms: Millis
    thaw_ms: Millis
    slow_thaw_ms: Millis
    bytes: int


@dataclass(slots=True)
class Measured:
    """The last measurements of one workload's freezes, saves and thaws.

    *typical* is what follows from them, by what is taken for unknown freezes and thaws; kept, since every plan asks for it.
    """

    freezes: Recent = field(default_factory=Recent)
    saves: Recent = field(default_factory=Recent)
    thaws: Recent = field(default_factory=Recent)
    runs: Recent = field(default_factory=Recent)
    bytes: int = 0
    typical: dict[tuple[Millis, Millis], Typical] = field(default_factory=dict, compare=False, repr=False)

    def learn(self, kind: Recent, took: Millis, size: int) -> None:
        """Remember what one of a *kind* took, and what a snapshot weighs now."""
        if kind.add(took, size) or size != self.bytes:
            self.bytes = size
            self.typical.clear()


@dataclass(slots=True)
class Costs:
    """What is known of every workload, by its name.

    Attributes:
        workloads: what was measured.
        shortest_run_ms: the shortest middle of how long last segments ran, of all workloads; None if no job was ever done.
    """

    workloads: dict[str, Measured] = field(default_factory=dict)
    shortest_run_ms: Millis | None = None

    def learn_freeze(self, workload: str, took: Millis, size: int) -> None:
        """Remember one freeze of *size* bytes."""
        measured = self._of(workload)
        measured.learn(measured.freezes, took, size)

    def learn_save(self, workload: str, took: Millis, size: int) -> None:
        """Remember one save during which the workload stayed where it was."""
        measured = self._of(workload)
        measured.learn(measured.saves, took, size)

    def learn_thaw(self, workload: str, took: Millis) -> None:
        """Remember one thaw."""
        measured = self._of(workload)
        measured.learn(measured.thaws, took, measured.bytes)

    def learn_run(self, workload: str, took: Millis) -> None:
        """Remember how long the last segment of a job ran that was done."""
        runs = self._of(workload).runs
        before, shortest = runs.quantile(500, took), self.shortest_run_ms
        runs.add(took)
        after = runs.quantile(500, took)
        if shortest is None or after <= shortest:
            self.shortest_run_ms = after
        elif before == shortest:
            self.shortest_run_ms = min(m.runs.quantile(500, after) for m in self.workloads.values())

    def run_ms(self, workload: str) -> Millis | None:
        """Return the middle of how long last segments run, None if none was ever done."""
        measured = self.workloads.get(workload)
        return measured.runs.quantile(500, Millis(0)) if measured and measured.runs.values else None

    def freeze_ms(self, workload: str, permille: int, unknown: Millis) -> Millis:
        """Return the freeze time that *permille* of freezes of the present size keep; if none was ever measured *unknown*, but no less than of saves.

        Were that not learned from saves, freezes planned too late where no grace helps would all be lost, and none ever measured.
        """
        measured = self.workloads.get(workload)
        if measured is None:
            return unknown
        if not measured.freezes.values:
            return max(unknown, measured.saves.expected(permille, measured.bytes, unknown))
        return measured.freezes.expected(permille, measured.bytes, unknown)

    def save_ms(self, workload: str, unknown: Millis) -> Millis:
        """Return the middle of what a save takes; *unknown* if none was ever measured."""
        measured = self.workloads.get(workload)
        return measured.saves.expected(500, measured.bytes, unknown) if measured else unknown

    def thaw_ms(self, workload: str, permille: int, unknown: Millis) -> Millis:
        """Return the thaw time that *permille* of thaws keep; *unknown* if none was ever measured."""
        measured = self.workloads.get(workload)
        return measured.thaws.expected(permille, measured.bytes, unknown) if measured else unknown

    def bytes(self, workload: str) -> int:
        """Return the size of the newest snapshot of this workload, 0 if there was none."""
        measured = self.workloads.get(workload)
        return measured.bytes if measured else 0

    def typical(self, workload: str, freeze_ms: Millis, thaw_ms: Millis) -> Typical:
        """Return what plans take this workload to be like; *freeze_ms* and *thaw_ms* are for what was never measured."""
        measured = self.workloads.get(workload)
        if measured is None:
            return self._reckoned(workload, freeze_ms, thaw_ms)
        known = measured.typical.get((freeze_ms, thaw_ms))
        if known is None:
            known = measured.typical[freeze_ms, thaw_ms] = self._reckoned(workload, freeze_ms, thaw_ms)
        return known

    def _reckoned(self, workload: str, freeze_ms: Millis, thaw_ms: Millis) -> Typical:
        return Typical(
            freeze_ms=self.freeze_ms(workload, 950, freeze_ms),
            longest_freeze_ms=self.freeze_ms(workload, 990, freeze_ms),
            save_ms=self.save_ms(workload, self.freeze_ms(workload, 500, freeze_ms)),
            thaw_ms=self.thaw_ms(workload, 500, thaw_ms),
            slow_thaw_ms=self.thaw_ms(workload, 950, thaw_ms),
            bytes=self.bytes(workload),
        )

    def _of(self, workload: str) -> Measured:
        measured = self.workloads.get(workload)
        if measured is None:
            measured = self.workloads[workload] = Measured()
        return measured
