"""What guests cost on their way in and out: given, or learned from a journal. Nothing here is computed, only paid for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from idleq.ids import JobId, Millis, SnapshotId
from idleq.scheduler.core.facts import Fact, SegmentFrozen, SegmentProgressed, SegmentRunning, SegmentStarted
from idleq.scheduler.core.submission import JobSpec

GB = 1_000_000_000
SECOND = 1000

RUNS_FOR = "--simulated-run-ms="
"""Tells a simulated program how long it runs where its submission does not say it."""

Measured = tuple[int, Millis]
"""How many bytes a snapshot had, and how long it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCosts:
    """What it costs to start, freeze and thaw guests.

    Attributes:
        agent_ms: from an allocation's begin until its agent is up.
        image_ms: the first guest of a name on a node waits so long for its image.
        launch_ms: from the command until a fresh guest runs.
        thaw_ms, thaw_ms_per_gb: the same for one that goes on from a snapshot.
        freeze_ms, freeze_ms_per_gb: from the signal until the snapshot is published: first what guests of one agent do side by
            side, then what they do one after the other.
        save_ms, save_ms_per_gb: how long a guest stands still for a save in between.
        bytes: the size of a snapshot; None if it is as large as the memory that the job asks for.
        bandwidth: bytes a second that the file system takes from all freezing guests together, on top of the above; None
            if it is never what they wait for.
        freeze_fails: the share of freezes at the end of which there is no snapshot, drawn by
            *failing_seed*, or the scenario's seed if that is None: the guest is lost to its last save.
        unknown_run_ms: how long a job runs that does not say it.
    """

    agent_ms: Millis = Millis(0)
    image_ms: Millis = Millis(0)
    launch_ms: Millis = Millis(0)
    thaw_ms: Millis = Millis(10_000)
    thaw_ms_per_gb: int = 0
    freeze_ms: Millis = Millis(10_000)
    freeze_ms_per_gb: int = 0
    save_ms: Millis = Millis(10_000)
    save_ms_per_gb: int = 0
    bytes: int | None = 250_000_000
    bandwidth: int | None = None
    unknown_run_ms: Millis = Millis(3_600_000)
    freeze_fails: float = 0.0
    failing_seed: int | None = None

    def size_of(self, spec: JobSpec) -> int:
        """Return how large a snapshot of such a job is."""
        return spec.resources.memory if self.bytes is None else self.bytes

    def thaw_of(self, spec: JobSpec) -> Millis:
        """Return how long a thaw takes."""
        return _price(self.thaw_ms, self.thaw_ms_per_gb, self.size_of(spec))

    def run_of(self, spec: JobSpec) -> Millis:
        """Return how long such a job runs: what it is expected to, else what its program is told, else the unknown."""
        if spec.expected_ms:
            return spec.expected_ms
        told = [word.removeprefix(RUNS_FOR) for word in spec.argv if word.startswith(RUNS_FOR)]
        return Millis(int(told[0])) if told else self.unknown_run_ms

    def writing_of(self, spec: JobSpec) -> Millis:
        """Return how long the part of a freeze takes that no other guest of the same agent can have at the same time."""
        return _price(Millis(0), self.freeze_ms_per_gb, self.size_of(spec))

    def freeze_of(self, spec: JobSpec, together: int = 1) -> Millis:
        """Return how long a freeze takes of the only guest of its agent, while as many nodes as *together* say write."""
        shared_ms = 0 if self.bandwidth is None else -(-self.size_of(spec) * together * SECOND // self.bandwidth)
        return Millis(self.freeze_ms + self.writing_of(spec) + shared_ms)

    def node_bandwidth(self) -> int | None:
        """Return the bytes a second that guests of one agent write while nobody else does; None if nothing waits for that."""
        # In milliseconds for so many bytes: first the agent's own path, then the file system.
        own = self.freeze_ms_per_gb / GB
        shared = 0.0 if self.bandwidth is None else SECOND / self.bandwidth
        return max(1, int(SECOND / (own + shared))) if own + shared else None

    def save_of(self, spec: JobSpec) -> Millis:
        """Return how long a save takes."""
        return _price(self.save_ms, self.save_ms_per_gb, self.size_of(spec))


def runs_for(run_ms: Millis | None) -> tuple[str, ...]:
    """Return the arguments by which a simulated program runs for *run_ms*; none if that is not known."""
    return () if run_ms is None else (f"{RUNS_FOR}{run_ms}",)


def equal_costs(cost_ms: Millis) -> GuestCosts:
    """Return costs at which a start, a thaw, a freeze and a save all take *cost_ms*, and nothing else costs anything.

    Were a fresh start free, a strategy that loses all its work would be better off: its guests never have to be thawed.
    """
    return GuestCosts(launch_ms=cost_ms, thaw_ms=cost_ms, freeze_ms=cost_ms, save_ms=cost_ms, bytes=0)


def costs_from_journal(facts: Iterable[Fact]) -> GuestCosts | None:
    """Return the costs that a journal's segments had: a line through the measured times over size; None if it has no freeze.

    Snapshots get their middle size; what was never measured (saves, thaws) is taken to cost as much as a freeze.
    """
    sizes: dict[SnapshotId, int] = {}
    thawed: dict[JobId, SnapshotId | None] = {}
    freezes: list[Measured] = []
    saves: list[Measured] = []
    thaws: list[Measured] = []
    for fact in facts:
        match fact:
            case SegmentStarted():
                thawed[fact.job] = fact.thaw_from
            case SegmentRunning(thaw_ms=thaw_ms) if (source := thawed.get(fact.job)) in sizes and source is not None:
                thaws.append((sizes[source], thaw_ms))
            case SegmentProgressed(saved=saved, save_ms=save_ms) if saved is not None:
                sizes[saved.id] = saved.bytes
                if save_ms is not None:
                    saves.append((saved.bytes, save_ms))
            case SegmentFrozen():
                sizes[fact.snapshot.id] = fact.snapshot.bytes
                freezes.append((fact.snapshot.bytes, fact.freeze_ms))
            case _:
                pass
    if not freezes:
        return None
    freeze_ms, freeze_per_gb = line_through(freezes)
    save_ms, save_per_gb = line_through(saves or freezes)
    thaw_ms, thaw_per_gb = line_through(thaws or freezes)
    return GuestCosts(
        freeze_ms=freeze_ms,
        freeze_ms_per_gb=freeze_per_gb,
        save_ms=save_ms,
        save_ms_per_gb=save_per_gb,
        thaw_ms=thaw_ms,
        thaw_ms_per_gb=thaw_per_gb,
        bytes=round(median(sizes.values())),
    )


def line_through(measured: Sequence[Measured]) -> tuple[Millis, int]:
    """Return a and b of time = a + b * size (b per gigabyte) by least squares, neither of them below 0."""
    count = len(measured)
    mean_size = sum(size for size, _ in measured) / count
    mean_took = sum(took for _, took in measured) / count
    spread = sum((size - mean_size) ** 2 for size, _ in measured)
    together = sum((size - mean_size) * (took - mean_took) for size, took in measured)
    slope = max(0.0, together / spread) if spread else 0.0
    if mean_took < slope * mean_size:
        # A line that begins below 0 is drawn through 0 instead.
        slope = mean_took / mean_size
    return Millis(round(mean_took - slope * mean_size)), round(slope * GB)


def _price(fixed_ms: Millis, ms_per_gb: int, size: int) -> Millis:
    return Millis(fixed_ms + ms_per_gb * size // GB)
