"""Guests' allocations as a site's queue sees them: the lowest tier, which takes what main jobs leave."""

from dataclasses import dataclass, field

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.commands import Mode, RequestAllocation
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.simulator.jobs import MainJob, NodeSpec
from idleq.simulator.placement import Parts, room_beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An allocation that is asked for.

    Attributes:
        allocation: its name.
        mode: what may end it.
        node: where it is to be; None leaves the choice to the site.
        resources: what it holds.
        min_ms, max_ms: how long it lasts.
        ends_by: when it is over, whenever it begins; None if it ends by its length alone.
    """

    allocation: AllocationId
    mode: Mode
    node: NodeName | None
    resources: Resources
    min_ms: Millis
    max_ms: Millis
    ends_by: Millis | None = None


def request_of(command: RequestAllocation, epoch: Millis) -> Request:
    """Return what the engine asks for, in the time of a world that began at *epoch*."""
    return Request(
        allocation=command.allocation,
        mode=command.mode,
        node=command.node,
        resources=command.resources,
        min_ms=command.min_ms,
        max_ms=command.max_ms,
        ends_by=None if command.ends_by is None else Millis(command.ends_by - epoch),
    )


@dataclass(slots=True, kw_only=True, eq=False)
class Guest:
    """An allocation that holds resources.

    Attributes:
        request: as it was asked for.
        node: its node's place in the site's list.
        until: when it ends at the latest.
        leave_by: when it is killed, once it has been asked to leave.
        reason: why it was asked to.
    """

    request: Request
    node: int
    until: Millis
    leave_by: Millis | None = None
    reason: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Hold:
    """A main job that was chosen to start, and the allocations that still hold its nodes."""

    job: MainJob
    decided_at: Millis
    bound_ms: Millis
    left: tuple[AllocationId, ...]
    waiting_for: set[AllocationId]


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """A node's present state.

    Attributes:
        spec: what it is.
        units: what main jobs can hold of it.
        free_units: what of that they do not.
        jobs: the main jobs that hold some.
        guests: the allocations on it, oldest first.
        held: what they hold, those asked to leave included.
        room: what main jobs leave of it.
        left: what of that nobody holds.
    """

    spec: NodeSpec
    units: int
    free_units: int
    jobs: dict[int, int] = field(default_factory=dict)
    guests: dict[AllocationId, Guest] = field(default_factory=dict)
    held: Resources = NOTHING
    room: Resources = field(init=False)
    left: Resources = field(init=False)
    _rooms: dict[int, Resources] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin as it is."""
        self._reckon()

    def give(self, job: int, units: int) -> None:
        """Let main *job* hold *units* of it."""
        self.free_units -= units
        self.jobs[job] = units
        self._reckon()

    def take_back(self, job: int) -> None:
        """Let main *job* hold nothing of it any more."""
        self.free_units += self.jobs.pop(job)
        self._reckon()

    def _reckon(self) -> None:
        free = self.free_units
        room = self._rooms.get(free)
        if room is None:
            room = self._rooms[free] = room_beside(self.spec.resources, self.units - free, self.units)
        self.room, self.left = room, room - self.held

    def has_room_for(self, wanted: Resources) -> bool:
        """Whether a guest of such resources can come in beside those that are there."""
        left = self.left
        return wanted.cores <= left.cores and wanted.fits_in(left)

    def take_in(self, guest: Guest) -> None:
        """Host *guest*."""
        self.guests[guest.request.allocation] = guest
        self._hold(self.held + guest.request.resources)

    def let_go(self, guest: Guest) -> None:
        """Host *guest* no more."""
        del self.guests[guest.request.allocation]
        self._hold(self.held - guest.request.resources)

    def _hold(self, held: Resources) -> None:
        self.held, self.left = held, self.room - held


@dataclass(slots=True, kw_only=True, eq=False)
class Running:
    """A main job that holds *parts* of *nodes*; *ends_at* is by its limit."""

    job: MainJob
    parts: Parts
    nodes: list[int]
    ends_at: Millis


def granted_until(request: Request, now: Millis, planned_start: Millis | None) -> Millis | None:
    """Return when *request* would have to end if granted now, None if that is too short to be of use."""
    length = int(request.max_ms)
    for end in (planned_start, request.ends_by):
        if end is not None and end - now < length:
            length = end - now
    return Millis(now + length) if length >= max(1, request.min_ms) else None
