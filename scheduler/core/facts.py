"""What the engine knows to be so: what was accepted and what was decided. The journal holds these, each with the time of its turn."""

from msgspec import Struct

from idleq.ids import AllocationId, CommandId, EntryId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.scheduler.core.commands import SegmentPlan
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.sitefacts import (
    AgentArrived,
    AllocationAsked,
    AllocationClosing,
    AllocationEnded,
    AllocationFailed,
    AllocationReleased,
    AllocationStarted,
    GapClosed,
    MainJobHeldUp,
    NodesSeen,
    ReleaseDelayed,
    RequestsSlowed,
    StrayGranted,
    TransfersPlanned,
)
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import JobSpec, Submission
from idleq.scheduler.core.wishes import Move


class PolicySet(Struct, frozen=True, kw_only=True, gc=False):
    """From here on decisions follow *policy*."""

    policy: Policy


class PauseSet(Struct, frozen=True, kw_only=True, gc=False):
    """Starting jobs is off (*paused*) or on again; with *empty* nothing may stay on the nodes either."""

    paused: bool
    empty: bool
    reason: str


class EntryAdded(Struct, frozen=True, kw_only=True, gc=False):
    """*entry* is in the queue; its dependencies are named in the submission (all by id)."""

    entry: EntryId
    submission: Submission
    request: str
    user: str


class EntryChanged(Struct, frozen=True, kw_only=True, gc=False):
    """What of *entry* is not over is as *spec* says from here on; segments that go on keep their cores and their memory."""

    entry: EntryId
    spec: JobSpec


class EntryReady(Struct, frozen=True, kw_only=True, gc=False):
    """All that *entry* waited for is done."""

    entry: EntryId


class EntryHeld(Struct, frozen=True, kw_only=True, gc=False):
    """What of *entry* has not started does not start."""

    entry: EntryId
    reason: str


class EntryReleased(Struct, frozen=True, kw_only=True, gc=False):
    """What of *entry* has not started may start."""

    entry: EntryId


class EntryCancelled(Struct, frozen=True, kw_only=True, gc=False):
    """What of *entry* has not started never will."""

    entry: EntryId
    reason: str


class JobHeldBack(Struct, frozen=True, kw_only=True, gc=False):
    """The job waits for a release."""

    job: JobId
    reason: str


class JobLetGo(Struct, frozen=True, kw_only=True, gc=False):
    """The job may start again: it was released, or its delay is over."""

    job: JobId


class JobWithdrawn(Struct, frozen=True, kw_only=True, gc=False):
    """The job is cancelled and nothing of it runs."""

    job: JobId
    reason: str


class MoveEased(Struct, frozen=True, kw_only=True, gc=False):
    """The job that waits to be moved may go on on more nodes than before: as *move* says, or on any if that is None."""

    job: JobId
    move: Move | None


class SegmentStarted(Struct, frozen=True, kw_only=True, gc=False):
    """The job is bound to an allocation under a new fencing number; *is_ahead* if it starts there once there is room."""

    job: JobId
    fence: Fence
    allocation: AllocationId
    node: NodeName
    plan: SegmentPlan
    thaw_from: SnapshotId | None
    command: CommandId
    is_ahead: bool = False


class SegmentRunning(Struct, frozen=True, kw_only=True, gc=False):
    """The segment's process is up since *since*."""

    job: JobId
    fence: Fence
    since: Millis
    thaw_ms: Millis


class SegmentProgressed(Struct, frozen=True, kw_only=True, gc=False):
    """The workload is at *step* of *total*; *saved* if it left a snapshot."""

    job: JobId
    fence: Fence
    step: int
    total: int | None
    saved: Snapshot | None
    save_ms: Millis | None


class PlanMoved(Struct, frozen=True, kw_only=True, gc=False):
    """The segment's agent is told to act by another plan."""

    job: JobId
    fence: Fence
    plan: SegmentPlan
    command: CommandId


class FreezeAsked(Struct, frozen=True, kw_only=True, gc=False):
    """The segment is asked to freeze now; *hold* if the job shall not be thawed until released, *move* if it shall be thawed elsewhere.

    *is_wish*: where it cannot be frozen it runs on.
    """

    job: JobId
    fence: Fence
    reason: str
    hold: bool
    command: CommandId
    move: Move | None = None
    is_wish: bool = False


class FreezeGivenUp(Struct, frozen=True, kw_only=True, gc=False):
    """The segment could not be frozen, as somebody had wished, and runs on."""

    job: JobId
    fence: Fence
    reason: str


class KillAsked(Struct, frozen=True, kw_only=True, gc=False):
    """The segment is ended now; then the job is cancelled (*withdraw*), or has failed."""

    job: JobId
    fence: Fence
    reason: str
    withdraw: bool
    command: CommandId


class SegmentFrozen(Struct, frozen=True, kw_only=True, gc=False):
    """The segment left a snapshot; the job goes on from it, not before *delayed_until*. *has_moved*: it was worth its cost."""

    job: JobId
    fence: Fence
    snapshot: Snapshot
    ended_at: Millis
    freeze_ms: Millis
    reason: str
    delayed_until: Millis | None
    has_moved: bool = True


class SegmentLost(Struct, frozen=True, kw_only=True, gc=False):
    """The segment is over without a result or a fault of the workload's.

    *launch_failed*: its agent could not start it; *move*: nor could another there, as its node lacks something for the job.
    """

    job: JobId
    fence: Fence
    reason: str
    ended_at: Millis
    delayed_until: Millis | None
    launch_failed: bool = False
    move: Move | None = None


class SegmentFailed(Struct, frozen=True, kw_only=True, gc=False):
    """The workload failed, and is tried again from *delayed_until* on."""

    job: JobId
    fence: Fence
    code: int
    reason: str
    ended_at: Millis
    delayed_until: Millis


class StrayFound(Struct, frozen=True, kw_only=True, gc=False):
    """An agent hosts a segment that is not the job's present one; it is ended, and nothing of it counts."""

    job: JobId
    fence: Fence
    allocation: AllocationId
    command: CommandId


class SnapshotDropped(Struct, frozen=True, kw_only=True, gc=False):
    """The snapshot does not verify; the one before it is used."""

    job: JobId
    snapshot: SnapshotId
    reason: str


class JobDone(Struct, frozen=True, kw_only=True, gc=False):
    """The segment's output is the job's result: the only one that is ever accepted."""

    job: JobId
    fence: Fence
    ended_at: Millis
    digest: str
    command: CommandId


class JobFailed(Struct, frozen=True, kw_only=True, gc=False):
    """The workload failed and is not tried again."""

    job: JobId
    fence: Fence
    code: int
    reason: str
    ended_at: Millis


Fact = (
    PolicySet
    | PauseSet
    | EntryAdded
    | EntryChanged
    | EntryReady
    | EntryHeld
    | EntryReleased
    | EntryCancelled
    | JobHeldBack
    | JobLetGo
    | JobWithdrawn
    | MoveEased
    | SegmentStarted
    | SegmentRunning
    | SegmentProgressed
    | PlanMoved
    | FreezeAsked
    | FreezeGivenUp
    | KillAsked
    | SegmentFrozen
    | SegmentLost
    | SegmentFailed
    | StrayFound
    | SnapshotDropped
    | JobDone
    | JobFailed
    | NodesSeen
    | GapClosed
    | MainJobHeldUp
    | AllocationAsked
    | AllocationStarted
    | AgentArrived
    | AllocationClosing
    | AllocationFailed
    | AllocationReleased
    | AllocationEnded
    | StrayGranted
    | ReleaseDelayed
    | RequestsSlowed
    | TransfersPlanned
)
