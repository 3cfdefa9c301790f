"""One job and what it can be in. What exists only in a state lives in that state's class."""

from msgspec import Struct
from msgspec.structs import replace

from idleq.ids import AllocationId, CommandId, EntryId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.scheduler.core.commands import SegmentPlan
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.wishes import Move


class Segment(Struct, frozen=True, gc=False):
    """One stretch of a job on one node.

    Attributes:
        fence: its fencing number.
        allocation: where it runs.
        node: on which node that is.
        resources: what it holds, whatever the job is to hold by now.
        plan: when its agent acts by itself.
        launch: the command that starts it.
        command: the last command about it, to be told again after a restart.
        thaw_from: the snapshot it goes on from, None for a fresh start.
        bound_at: when it was decided.
        since: when its process was up, None until then.
        first_step: how far the workload was when it began.
        first_run_ms: how long the job had run by then.
        told_at: when its progress was last journalled, None until then.
        has_saved: whether it has left a snapshot.
        is_ahead: whether it was bound before there was room for it.
        trouble: why it could not be frozen when somebody wished it; empty if nobody did.
    """

    fence: Fence
    allocation: AllocationId
    node: NodeName
    resources: Resources
    plan: SegmentPlan
    launch: CommandId
    command: CommandId
    thaw_from: SnapshotId | None
    bound_at: Millis
    since: Millis | None = None
    first_step: int = 0
    first_run_ms: Millis = Millis(0)
    told_at: Millis | None = None
    has_saved: bool = False
    is_ahead: bool = False
    trouble: str = ""


class Waiting(Struct, frozen=True, gc=False):
    """It waits for other entries to be done."""


class Queued(Struct, frozen=True, gc=False):
    """It may start wherever it fits; with a snapshot this is a thaw."""


class Held(Struct, frozen=True, gc=False):
    """It starts only after a release: somebody held it, or it made no progress (livelock is not an option)."""

    reason: str


class Delayed(Struct, frozen=True, gc=False):
    """It may start again from *until* on; unlike Held this ends by itself. *reason* is how its last segment ended."""

    until: Millis
    reason: str


class Starting(Struct, frozen=True, gc=False):
    """It is bound to an allocation; its process is not up yet."""

    segment: Segment


class Running(Struct, frozen=True, gc=False):
    """Its process is up."""

    segment: Segment


class Freezing(Struct, frozen=True, gc=False):
    """It was asked to freeze now; a freeze at the planned time needs no asking and stays Running. *is_wish*: if it cannot be, it runs on."""

    segment: Segment
    reason: str
    hold: bool
    is_wish: bool = False


class Killing(Struct, frozen=True, gc=False):
    """It is being ended, to be cancelled (*withdraw*) or to fail."""

    segment: Segment
    reason: str
    withdraw: bool


class Done(Struct, frozen=True, gc=False):
    """Its result is accepted."""

    fence: Fence
    at: Millis


class Failed(Struct, frozen=True, gc=False):
    """The workload failed; a closed gap or a preemption never leads here."""

    reason: str
    code: int
    at: Millis


class Cancelled(Struct, frozen=True, gc=False):
    """Nobody wants it any more."""

    reason: str
    at: Millis


Active = Starting | Running | Freezing | Killing
ACTIVE = (Starting, Running, Freezing, Killing)
"""The same for isinstance, which is asked all the time and makes a union anew each time."""
Idle = Waiting | Queued | Held | Delayed
Final = Done | Failed | Cancelled
JobState = Idle | Active | Final


class Job(Struct, frozen=True, gc=False):
    """A job that has started once, or was touched on its own.

    Attributes:
        id: its name.
        entry: the submit it came with.
        state: what it is in.
        queued_since: since when it waits for its first start (its age; freezing does not make it young again).
        fence: the last fencing number given out for it.
        failures: how often the workload failed.
        stalled: segments in a row that saved no progress.
        snapshots: what it can be thawed from, newest last; at most two.
        run_ms: how long it had run up to its newest snapshot.
        step: how far the workload says it is.
        total: how far it wants to get, if it says so.
        move: where alone it is to go on, None for anywhere.
        misses: nodes in a row that lacked its image, or could not let it go on.
        dropped: what became of a snapshot that could not be used, until there is a newer one.
    """

    id: JobId
    entry: EntryId
    state: JobState
    queued_since: Millis
    fence: Fence = Fence(0)
    failures: int = 0
    stalled: int = 0
    snapshots: tuple[Snapshot, ...] = ()
    run_ms: Millis = Millis(0)
    step: int = 0
    total: int | None = None
    move: Move | None = None
    misses: int = 0
    dropped: str = ""

    @property
    def segment(self) -> Segment | None:
        """Its present segment, if it has one."""
        return self.state.segment if isinstance(self.state, ACTIVE) else None

    @property
    def bytes(self) -> int | None:
        """What its newest snapshot weighs, None if it has none."""
        return self.snapshots[-1].bytes if self.snapshots else None

    def in_state(self, state: JobState) -> "Job":
        """Return it in another *state*."""
        return replace(self, state=state)

    @property
    def is_final(self) -> bool:
        """Whether nothing will ever happen to it again."""
        return isinstance(self.state, Done | Failed | Cancelled)
