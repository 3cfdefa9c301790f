"""Everything that the engine can ask the world to do. A command may be carried out twice; its id makes that harmless."""

from enum import StrEnum

from msgspec import Struct

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod, JobSpec


class Mode(StrEnum):
    """How an allocation gives way to main jobs."""

    #: The site's scheduler may end it at any time, after a grace.
    PREEMPTIBLE = "preemptible"
    #: It lies on a named node and ends by itself before the gap does.
    WINDOW = "window"


class Sharing(StrEnum):
    """Whose jobs run in one allocation."""

    #: Anybody's.
    ANYBODY = "anybody"
    #: One user's.
    USER = "user"


class SegmentPlan(Struct, frozen=True, kw_only=True, gc=False):
    """When a segment's agent acts by itself, daemon or no daemon.

    Attributes:
        freeze_at: when the freeze starts; None if no end is known.
        ends_at: when the node must be empty; None if no end is known.
        save_every_ms: how often the workload saves as insurance; None if only when asked.
    """

    freeze_at: Millis | None
    ends_at: Millis | None
    save_every_ms: Millis | None


class RequestAllocation(Struct, frozen=True, kw_only=True, gc=False):
    """Ask the site's scheduler for resources on one node.

    Attributes:
        id: the command.
        allocation: our name for it.
        mode: how it gives way.
        node: which node; None lets the site's scheduler choose.
        seen_on: in whose gap it was seen to fit; no more than a hint where *node* is None.
        user: whose jobs alone run in it; "" for anybody's.
        resources: how much of the node.
        min_ms: no use if shorter.
        max_ms: never longer.
        ends_by: of a window: when it is over, whenever it begins; None if it ends by its length alone.
    """

    id: CommandId
    allocation: AllocationId
    mode: Mode
    node: NodeName | None
    resources: Resources
    min_ms: Millis
    max_ms: Millis
    ends_by: Millis | None = None
    seen_on: NodeName | None = None
    user: str = ""


class ReleaseAllocation(Struct, frozen=True, kw_only=True, gc=False):
    """Give *allocation* back; its agent ends what is left in it."""

    id: CommandId
    allocation: AllocationId
    reason: str


class Launch(Struct, frozen=True, kw_only=True, gc=False):
    """Start a segment of a job in *allocation*: from *thaw_from*, or from the beginning if that is None.

    *prefers*: of a job that may be frozen by either way, the one that costs less where it can be had; None if that is not known.
    """

    id: CommandId
    allocation: AllocationId
    job: JobId
    fence: Fence
    spec: JobSpec
    plan: SegmentPlan
    thaw_from: Snapshot | None
    prefers: FreezeMethod | None = None


class Replan(Struct, frozen=True, kw_only=True, gc=False):
    """The gap's end has moved: the segment's agent shall act by this plan from now on."""

    id: CommandId
    allocation: AllocationId
    job: JobId
    fence: Fence
    plan: SegmentPlan


class Freeze(Struct, frozen=True, kw_only=True, gc=False):
    """Freeze the segment now; what cannot be frozen is ended, or, if it is only wished for (*is_wish*), runs on: then this has failed."""

    id: CommandId
    allocation: AllocationId
    job: JobId
    fence: Fence
    reason: str
    is_wish: bool = False


class Kill(Struct, frozen=True, kw_only=True, gc=False):
    """End the segment now; what it has not saved is lost."""

    id: CommandId
    allocation: AllocationId
    job: JobId
    fence: Fence
    reason: str


class Publish(Struct, frozen=True, kw_only=True, gc=False):
    """Make the accepted segment's output the job's result."""

    id: CommandId
    job: JobId
    fence: Fence


Command = RequestAllocation | ReleaseAllocation | Launch | Replan | Freeze | Kill | Publish
AgentCommand = Launch | Replan | Freeze | Kill
