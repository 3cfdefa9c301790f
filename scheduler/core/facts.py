"""What the engine knows to be so: what was accepted and what was decided. The journal holds these, each with the time of its turn."""

from dataclasses import dataclass

from idleq.ids import AllocationId, CommandId, EntryId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.scheduler.core.commands import SegmentPlan
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.sitefacts import (
    AgentArrived,
    AllocationAsked,
    AllocationClosing,
    AllocationEnded,
    AllocationReleased,
    AllocationStarted,
    GapClosed,
    MainJobHeldUp,
    NodesSeen,
    ReleaseDelayed,
    RequestsSlowed,
    StrayGranted,
)
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """From here on decisions follow *policy*."""

    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseSet:
    """Starting jobs is off (*paused*) or on again; with *empty* nothing may stay on the nodes either."""

    paused: bool
    empty: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAdded:
    """*entry* is in the queue; its dependencies are named in the submission (all by id)."""

    entry: EntryId
    submission: Submission
    request: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReady:
    """All that *entry* waited for is done."""

    entry: EntryId


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryHeld:
    """What of *entry* has not started does not start."""

    entry: EntryId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReleased:
    """What of *entry* has not started may start."""

    entry: EntryId


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCancelled:
    """What of *entry* has not started never will."""

    entry: EntryId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHeldBack:
    """The job waits for a release."""

    job: JobId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLetGo:
    """The job may start again: it was released, or its delay is over."""

    job: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWithdrawn:
    """The job is cancelled and nothing of it runs."""

    job: JobId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentStarted:
    """The job is bound to an allocation under a new fencing number; *is_ahead* if it starts there once there is room."""

    job: JobId
    fence: Fence
    allocation: AllocationId
    node: NodeName
    plan: SegmentPlan
    thaw_from: SnapshotId | None
    command: CommandId
    is_ahead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRunning:
    """The segment's process is up since *since*."""

    job: JobId
    fence: Fence
    since: Millis
    thaw_ms: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentProgressed:
    """The workload is at *step* of *total*; *saved* if it left a snapshot."""

    job: JobId
    fence: Fence
    step: int
    total: int | None
    saved: Snapshot | None
    save_ms: Millis | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMoved:
    """The segment's agent is told to act by another plan."""

    job: JobId
    fence: Fence
    plan: SegmentPlan
    command: CommandId


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeAsked:
    """The segment is asked to freeze now; *hold* if the job shall not be thawed until released."""

    job: JobId
    fence: Fence
    reason: str
    hold: bool
    command: CommandId


@dataclass(frozen=True, slots=True, kw_only=True)
class KillAsked:
    """The segment is ended now; then the job is cancelled (*withdraw*), or has failed."""

    job: JobId
    fence: Fence
    reason: str
    withdraw: bool
    command: CommandId


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFrozen:
    """The segment left a snapshot; the job goes on from it, not before *delayed_until*. *has_moved*: it was worth its cost."""

    job: JobId
    fence: Fence
    snapshot: Snapshot
    ended_at: Millis
    freeze_ms: Millis
    reason: str
    delayed_until: Millis | None
    has_moved: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLost:
    """The segment is over without a result or a fault of the workload's; *launch_failed*: its agent could not start it."""

    job: JobId
    fence: Fence
    reason: str
    ended_at: Millis
    delayed_until: Millis | None
    launch_failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFailed:
    """The workload failed, and is tried again from *delayed_until* on."""

    job: JobId
    fence: Fence
    code: int
    reason: str
    ended_at: Millis
    delayed_until: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayFound:
    """An agent hosts a segment that is not the job's present one; it is ended, and nothing of it counts."""

    job: JobId
    fence: Fence
    allocation: AllocationId
    command: CommandId


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotDropped:
    """The snapshot does not verify; the one before it is used."""

    job: JobId
    snapshot: SnapshotId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDone:
    """The segment's output is the job's result: the only one that is ever accepted."""

    job: JobId
    fence: Fence
    ended_at: Millis
    digest: str
    command: CommandId


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailed:
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
    | EntryReady
    | EntryHeld
    | EntryReleased
    | EntryCancelled
    | JobHeldBack
    | JobLetGo
    | JobWithdrawn
    | SegmentStarted
    | SegmentRunning
    | SegmentProgressed
    | PlanMoved
    | FreezeAsked
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
    | AllocationReleased
    | AllocationEnded
    | StrayGranted
    | ReleaseDelayed
    | RequestsSlowed
)
