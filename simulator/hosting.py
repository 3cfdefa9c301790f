"""What a simulated agent keeps of its guests."""

from dataclasses import dataclass, field
from enum import Enum, auto

from idleq.ids import Fence, JobId, Millis, SnapshotId
from idleq.scheduler.core.commands import Launch, SegmentPlan
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod, JobSpec
from idleq.simulator.costs import GuestCosts
from idleq.simulator.events import Granted
from idleq.simulator.work import Work

BEFORE_NUMBER = "."


def saves_behind(snapshot: SnapshotId) -> int:
    """Return how many saves its segment had made when a simulated agent told of *snapshot*, that one included."""
    return int(snapshot.rpartition(BEFORE_NUMBER)[2])


class Phase(Enum):
    """What a segment is at."""

    WAITING = auto()
    PREPARING = auto()
    RUNNING = auto()
    SAVING = auto()
    FREEZING = auto()


@dataclass(slots=True, eq=False)
class HostedGuest:
    """A segment; *plans* counts up whenever what was planned for it no longer holds; *save_ms* is what a save takes it, *run_ms* all of it."""

    launch: Launch
    plan: SegmentPlan
    work: Work
    save_ms: Millis
    run_ms: Millis
    phase: Phase = Phase.WAITING
    since: Millis = Millis(0)
    up_since: Millis = Millis(0)
    told_saves: int = 0
    plans: int = 0

    spec: JobSpec = field(init=False)
    can_freeze: bool = field(init=False)

    def __post_init__(self) -> None:
        self.spec = self.launch.spec
        self.can_freeze = self.spec.freeze is not FreezeMethod.NONE

    @property
    def save_every_ms(self) -> Millis | None:
        return self.plan.save_every_ms if self.can_freeze else None

    @property
    def is_saving(self) -> bool:
        """Whether it stands still for a save that leaves it where it is."""
        return self.phase is Phase.SAVING or self.work.save_left_ms > 0

    def save_left_ms(self, now: Millis) -> Millis:
        """Return how much longer that save takes."""
        return Millis(self.since + self.save_ms - now) if self.phase is Phase.SAVING else self.work.save_left_ms

    def snapshot(self, run_ms: Millis, number: int, size: int, taken_at: Millis) -> Snapshot:
        """Return the snapshot of so much work that is the segment's save of that *number*."""
        name = SnapshotId(f"{self.launch.job}.{self.launch.fence}{BEFORE_NUMBER}{number}")
        return Snapshot(id=name, fence=self.launch.fence, digest=name, bytes=size, taken_at=taken_at, run_ms=run_ms)


@dataclass(slots=True, eq=False)
class HostedAgent:
    """What lives in one allocation."""

    grant: Granted
    is_up: bool = False
    leave_reason: str = ""
    free_from: Millis = Millis(0)
    guests: dict[tuple[JobId, Fence], HostedGuest] = field(default_factory=dict)
    seen: set[tuple[JobId, Fence]] = field(default_factory=set)

    @property
    def room(self) -> Resources:
        """What no guest holds; those that wait hold nothing."""
        held = (guest.spec.resources for guest in self.guests.values() if guest.phase is not Phase.WAITING)
        return self.grant.resources - sum(held, NOTHING)

    def may_rely_on(self, grace_ms: Millis, guest: HostedGuest, costs: GuestCosts, *, together: int) -> bool:
        """Whether *guest* saves nothing in between, and could freeze within the grace though so many agents' guests do at once."""
        saves = guest.save_every_ms is not None
        if guest.phase is not Phase.RUNNING or not guest.can_freeze or saves or costs.freeze_fails:
            return False
        others = sum(costs.writing_of(other.spec) for other in self.guests.values() if other is not guest)
        return costs.freeze_of(guest.spec, together) + others <= grace_ms
