"""What freezing and thawing cost, learned per workload from what was measured."""

from dataclasses import dataclass, field

from idleq.ids import Millis

REMEMBERED = 32
"""Measurements kept of each kind: enough for a 95 % quantile, few enough to follow a file system that changes."""


def quantile(values: list[Millis], permille: int) -> Millis:
    """Return the smallest value that at least *permille* thousandths of *values* do not exceed."""
    ordered = sorted(values)
    rank = -(-permille * len(ordered) // 1000)
    return ordered[max(rank, 1) - 1]


@dataclass(slots=True)
class Measured:
    """The last measurements of one workload's freezes, saves and thaws."""

    freezes: list[Millis] = field(default_factory=list)
    saves: list[Millis] = field(default_factory=list)
    thaws: list[Millis] = field(default_factory=list)
    runs: list[Millis] = field(default_factory=list)
    bytes: int = 0


@dataclass(slots=True)
class Costs:
    """What is known of every workload, by its name."""

    workloads: dict[str, Measured] = field(default_factory=dict)

    def learn_freeze(self, workload: str, took: Millis, size: int) -> None:
        """Remember one freeze of *size* bytes."""
        measured = self._of(workload)
        _remember(measured.freezes, took)
        measured.bytes = size

    def learn_save(self, workload: str, took: Millis, size: int) -> None:
        """Remember one save during which the workload stayed where it was."""
        measured = self._of(workload)
        _remember(measured.saves, took)
        measured.bytes = size

    def learn_thaw(self, workload: str, took: Millis) -> None:
        """Remember one thaw."""
        _remember(self._of(workload).thaws, took)

    def learn_run(self, workload: str, took: Millis) -> None:
        """Remember how long the last segment of a job ran that was done."""
        _remember(self._of(workload).runs, took)

    def run_ms(self, workload: str) -> Millis | None:
        """Return the middle of how long last segments run, None if none was ever done."""
        measured = self.workloads.get(workload)
        return quantile(measured.runs, 500) if measured and measured.runs else None

    def freeze_ms(self, workload: str, permille: int, unknown: Millis) -> Millis:
        """Return the freeze time that *permille* of freezes keep; *unknown* if none was ever measured."""
        measured = self.workloads.get(workload)
        return quantile(measured.freezes, permille) if measured and measured.freezes else unknown

    def save_ms(self, workload: str, unknown: Millis) -> Millis:
        """Return the middle of what a save takes; *unknown* if none was ever measured."""
        measured = self.workloads.get(workload)
        return quantile(measured.saves, 500) if measured and measured.saves else unknown

    def thaw_ms(self, workload: str, permille: int, unknown: Millis) -> Millis:
        """Return the thaw time that *permille* of thaws keep; *unknown* if none was ever measured."""
        measured = self.workloads.get(workload)
        return quantile(measured.thaws, permille) if measured and measured.thaws else unknown

    def bytes(self, workload: str) -> int:
        """Return the size of the newest snapshot of this workload, 0 if there was none."""
        measured = self.workloads.get(workload)
        return measured.bytes if measured else 0

    def _of(self, workload: str) -> Measured:
        return self.workloads.setdefault(workload, Measured())


def _remember(values: list[Millis], value: Millis) -> None:
    values.append(value)
    del values[:-REMEMBERED]
