"""Everything that can happen to the engine. Inputs are told in the past tense and may be late or come twice."""

from typing import Literal

from msgspec import Struct

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.machines import Machine
from idleq.scheduler.core.cause import Cause
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import Submission
from idleq.scheduler.core.wishes import ChangeWished, FreezeWished, MoveWished

# What people ask for.


class JobsSubmitted(Struct, frozen=True, kw_only=True, gc=False):
    """Jobs came in; the same *request* a second time is the same submission, not another one."""

    submissions: tuple[Submission, ...]
    request: str
    user: str = ""


class JobCancelled(Struct, frozen=True, kw_only=True, gc=False):
    """A person no longer wants *target*: a whole entry ("17") or one task ("17_3")."""

    target: JobId


class JobHeld(Struct, frozen=True, kw_only=True, gc=False):
    """*target* shall not start until it is released; what runs of it is frozen."""

    target: JobId
    reason: str


class JobReleased(Struct, frozen=True, kw_only=True, gc=False):
    """*target* may start again."""

    target: JobId


class Paused(Struct, frozen=True, kw_only=True, gc=False):
    """Nothing starts from here on; with *empty* the nodes are emptied too, saving what fits."""

    empty: bool
    reason: str


class Resumed(Struct, frozen=True, kw_only=True, gc=False):
    """Jobs may start again."""


class SnapshotRemoved(Struct, frozen=True, kw_only=True, gc=False):
    """Somebody wants *snapshot* of *job* to be gone."""

    job: JobId
    snapshot: SnapshotId
    reason: str


# What the cluster shows.


class NodeReport(Struct, frozen=True, kw_only=True, gc=False):
    """One node as the site's scheduler shows it to anybody.

    Attributes:
        name: the node.
        capacity: all it has.
        free: what main jobs leave (our own guests do not count here).
        is_up: whether jobs may be started on it at all.
        busy_until: when its main jobs end at the latest, by their time limits; None if it has none.
        planned_start: when the next main job is planned to start here, or a reservation begins; None if nothing is planned.
        main_job: the names of main jobs here, for people.
        cause: what is planned; of a node that is not up, why it is not. None if that is not said.
        is_spared: main jobs have a part of it, and guests would slow them: what is free there is no gap.
    """

    name: NodeName
    capacity: Resources
    free: Resources
    is_up: bool = True
    busy_until: Millis | None = None
    planned_start: Millis | None = None
    main_job: str = ""
    cause: Cause | None = None
    is_spared: bool = False

    @property
    def is_taken(self) -> bool:
        """Whether main jobs leave nothing of it to guests."""
        return self.is_spared or self.free.cores <= 0


class ViewChanged(Struct, frozen=True, kw_only=True, gc=False):
    """These nodes look different from what was last told, and those have gone."""

    deltas: tuple[NodeReport, ...]
    gone: tuple[NodeName, ...] = ()


class AllocationGranted(Struct, frozen=True, kw_only=True, gc=False):
    """The site's scheduler started *allocation*; it ends at *until* at the latest."""

    allocation: AllocationId
    node: NodeName
    resources: Resources
    until: Millis | None


class AllocationLost(Struct, frozen=True, kw_only=True, gc=False):
    """*allocation* is over, and the site's scheduler says that nothing of it lives on."""

    allocation: AllocationId
    reason: str


class NodeLost(Struct, frozen=True, kw_only=True, gc=False):
    """The node of *allocation* has failed or does not answer; whether its guests still live is not known."""

    allocation: AllocationId
    reason: str


class MainJobStarted(Struct, frozen=True, kw_only=True, gc=False):
    """A main job started on nodes that guests had to leave.

    Attributes:
        main_job: its name.
        nodes: where.
        waited_ms: from the signal to our guests until its start.
        bound_ms: the most it may wait (grace, one scheduling cycle, epilog).
        guests_alive: guests still alive on its nodes when it started: harm.
    """

    main_job: str
    nodes: tuple[NodeName, ...]
    waited_ms: Millis
    bound_ms: Millis
    guests_alive: int


# What agents say.


class AgentReady(Struct, frozen=True, kw_only=True, gc=False):
    """The agent in *allocation* is up (or found again) and hosts exactly *guests*.

    Attributes:
        allocation: where it lives.
        node: the node it is on.
        resources: what it may hand out, its guests included.
        until: when it must be gone, by its own clock; None if it does not know.
        guests: the segments that it hosts now.
        abilities: what its node can do beyond running and stopping processes (see abilities).
        machine: what the node is like, for deciding which snapshots can be thawed there; None if it does not say.
    """

    allocation: AllocationId
    node: NodeName
    resources: Resources
    until: Millis | None
    guests: tuple[tuple[JobId, Fence], ...] = ()
    abilities: tuple[str, ...] = ()
    machine: Machine | None = None


class AgentLeaving(Struct, frozen=True, kw_only=True, gc=False):
    """The agent in *allocation* was told to go (*reason*: preempted, time is up); it takes no more jobs and freezes those it has."""

    allocation: AllocationId
    reason: str


class LeaseExpired(Struct, frozen=True, kw_only=True, gc=False):
    """The agent in *allocation* has been silent so long that by its own rule it has stopped its guests."""

    allocation: AllocationId


class Launched(Struct, frozen=True, kw_only=True, gc=False):
    """The segment's process runs; *thaw_ms* is how long the thaw took (0 for a fresh start)."""

    job: JobId
    fence: Fence
    at: Millis
    thaw_ms: Millis


class Progressed(Struct, frozen=True, kw_only=True, gc=False):
    """The workload said how far it is; *saved* if it has just saved itself."""

    job: JobId
    fence: Fence
    step: int
    total: int | None
    saved: Snapshot | None = None
    save_ms: Millis | None = None


class Frozen(Struct, frozen=True, kw_only=True, gc=False):
    """The segment ended with a snapshot.

    Attributes:
        job: whose.
        fence: which segment.
        snapshot: what it left.
        at: when it was over.
        freeze_ms: from the signal until the snapshot was published.
        reason: why it was frozen ("gap ends", "preempted", ...).
    """

    job: JobId
    fence: Fence
    snapshot: Snapshot
    at: Millis
    freeze_ms: Millis
    reason: str


class Exited(Struct, frozen=True, kw_only=True, gc=False):
    """The segment ended without a snapshot.

    Attributes:
        job: whose.
        fence: which segment.
        code: its exit code, or minus the number of the signal that ended it.
        at: when.
        cause: "workload" if it ended by itself, "agent" if the agent stopped it.
        reason: in words, where there is more to say than the code.
        digest: SHA-256 over its published output, for a result.
    """

    job: JobId
    fence: Fence
    code: int
    at: Millis
    cause: Literal["workload", "agent"]
    reason: str = ""
    digest: str = ""


class SnapshotRejected(Struct, frozen=True, kw_only=True, gc=False):
    """The segment could not be thawed: its snapshot did not verify; or it did and *is_whole*, and its processes did not go on there."""

    job: JobId
    fence: Fence
    snapshot: SnapshotId
    reason: str
    is_whole: bool = False


# What the shell says.


class CommandFailed(Struct, frozen=True, kw_only=True, gc=False):
    """*command* could not be carried out; *transient* if trying again may help, *image_missing* if the node lacks the job's image or what runs it."""

    command: CommandId
    reason: str
    transient: bool
    image_missing: bool = False


class Reconciled(Struct, frozen=True, kw_only=True, gc=False):
    """After a start the cluster was asked: exactly these allocations of ours exist (or are queued) there."""

    allocations: tuple[AllocationId, ...]


class Tick(Struct, frozen=True, kw_only=True, gc=False):
    """Time has passed."""


Input = (
    JobsSubmitted
    | JobCancelled
    | JobHeld
    | JobReleased
    | FreezeWished
    | MoveWished
    | ChangeWished
    | Paused
    | Resumed
    | SnapshotRemoved
    | ViewChanged
    | AllocationGranted
    | AllocationLost
    | NodeLost
    | MainJobStarted
    | AgentReady
    | AgentLeaving
    | LeaseExpired
    | Launched
    | Progressed
    | Frozen
    | Exited
    | SnapshotRejected
    | CommandFailed
    | Reconciled
    | Tick
)

AgentInput = AgentReady | AgentLeaving | Launched | Progressed | Frozen | Exited | SnapshotRejected | CommandFailed
"""What an agent may report."""
