"""What freezing and thawing cost, learned per workload from what was measured."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import NamedTuple

from idleq.ids import Millis

REMEMBERED = 32
"""Measurements kept of each kind: enough for a 95 % quantile, few enough to follow a file system that changes."""


@dataclass(slots=True)
class Recent:
    """The last measurements of one kind: as they came, and in order, so that a quantile is a look and no sorting."""

    values: list[Millis] = field(default_factory=list)
    ordered: list[Millis] = field(default_factory=list)
    kept: int = REMEMBERED

    def add(self, value: Millis) -> bool:
        """Remember *value*, and forget what is too old; return whether quantiles may differ now."""
        self.values.append(value)
        oldest = self.values.pop(0) if len(self.values) > self.kept else None
        if oldest == value:
            return False
        insort(self.ordered, value)
        if oldest is not None:
            del self.ordered[bisect_left(self.ordered, oldest)]
        return True

    def quantile(self, permille: int, unknown: Millis) -> Millis:
        """Return the smallest value that *permille* thousandths of them do not exceed; *unknown* if there is none."""
        ordered = self.ordered
        return ordered[max(-(-permille * len(ordered) // 1000), 1) - 1] if ordered else unknown


class Typical(NamedTuple):
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
        if kind.add(took) or size != self.bytes:
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
        """Return the freeze time that *permille* of freezes keep; if none was ever measured *unknown*, but no less than of saves.

        Were that not learned from saves, freezes planned too late where no grace helps would all be lost, and none ever measured.
        """
        measured = self.workloads.get(workload)
        if measured is None:
            return unknown
        if not measured.freezes.values:
            return max(unknown, measured.saves.quantile(permille, unknown))
        return measured.freezes.quantile(permille, unknown)

    def save_ms(self, workload: str, unknown: Millis) -> Millis:
        """Return the middle of what a save takes; *unknown* if none was ever measured."""
        measured = self.workloads.get(workload)
        return measured.saves.quantile(500, unknown) if measured else unknown

    def thaw_ms(self, workload: str, permille: int, unknown: Millis) -> Millis:
        """Return the thaw time that *permille* of thaws keep; *unknown* if none was ever measured."""
        measured = self.workloads.get(workload)
        return measured.thaws.quantile(permille, unknown) if measured else unknown

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
