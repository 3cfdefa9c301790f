"""How much of the machine was put to use, by whom, and what it cost."""

from dataclasses import dataclass, field

from idleq.scheduler.report.segment import KINDS, Kind
from idleq.scheduler.report.slices import Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """What guests' cores did besides useful work.

    Attributes:
        start_core_s: from the decision until the process was up, less the thaw.
        thaw_core_s: copying snapshots to nodes and checking them.
        save_core_s: saving as insurance.
        freeze_core_s: from the signal until the snapshot was published.
        repeated_core_s: work that was lost and has to be done again.
        discarded_core_s: work of jobs that failed or were cancelled.
    """

    start_core_s: float
    thaw_core_s: float
    save_core_s: float
    freeze_core_s: float
    repeated_core_s: float
    discarded_core_s: float

    @property
    def total_core_s(self) -> float:
        return (
            self.start_core_s
            + self.thaw_core_s
            + self.save_core_s
            + self.freeze_core_s
            + self.repeated_core_s
            + self.discarded_core_s
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """Areas in core-seconds, and shares of the capacity (None where there was no capacity).

    capacity = main + useful + unsaved + overhead + idle, exactly.

    Attributes:
        capacity_core_s: cores that may be used, times how long.
        main_core_s: held by main jobs.
        useful_core_s: guest progress that survived.
        unsaved_core_s: guest progress of segments that still run, since their last save; it counts as neither.
        overhead: what guests' cores did besides.
        overhead_core_s: all of that together.
        idle_core_s: held by nobody.
        crowded_core_s: guests still seen where main jobs already were (or on nodes that were down); counted nowhere above.
        main_share: utilisation by main jobs alone.
        with_guests_share: utilisation with all that guests held.
        effective_share: (main + useful) / capacity.
        harvest_share: useful / the gaps' harvestable area; None where no gap was long enough.
    """

    capacity_core_s: float
    main_core_s: float
    useful_core_s: float
    unsaved_core_s: float
    overhead: Overhead
    overhead_core_s: float
    idle_core_s: float
    crowded_core_s: float
    main_share: float | None
    with_guests_share: float | None
    effective_share: float | None
    harvest_share: float | None


@dataclass(slots=True)
class Areas:
    """Sums of slices, in whole core-milliseconds so that nothing is rounded on the way."""

    capacity: int = 0
    main: int = 0
    crowded: int = 0
    guests: list[int] = field(default_factory=lambda: [0] * len(KINDS))

    def add(self, piece: Slice) -> None:
        length = piece.until - piece.since
        self.capacity += piece.cores * length
        self.main += piece.main * length
        self.crowded += piece.crowded * length
        if piece.held:
            for index, cores in enumerate(piece.guests):
                self.guests[index] += cores * length

    def of(self, kind: Kind) -> float:
        return self.guests[KINDS.index(kind)] / 1000

    def utilisation(self, harvestable_core_s: float) -> Utilisation:
        held = sum(self.guests)
        useful = self.guests[KINDS.index(Kind.USEFUL)]
        unsaved = self.guests[KINDS.index(Kind.UNSAVED)]
        return Utilisation(
            capacity_core_s=self.capacity / 1000,
            main_core_s=self.main / 1000,
            useful_core_s=useful / 1000,
            unsaved_core_s=unsaved / 1000,
            overhead=self._overhead(),
            overhead_core_s=(held - useful - unsaved) / 1000,
            idle_core_s=(self.capacity - self.main - held) / 1000,
            crowded_core_s=self.crowded / 1000,
            main_share=_share(self.main, self.capacity),
            with_guests_share=_share(self.main + held, self.capacity),
            effective_share=_share(self.main + useful, self.capacity),
            harvest_share=_share(useful / 1000, harvestable_core_s),
        )

    def _overhead(self) -> Overhead:
        return Overhead(
            start_core_s=self.of(Kind.START),
            thaw_core_s=self.of(Kind.THAW),
            save_core_s=self.of(Kind.SAVE),
            freeze_core_s=self.of(Kind.FREEZE),
            repeated_core_s=self.of(Kind.REPEATED),
            discarded_core_s=self.of(Kind.DISCARDED),
        )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
