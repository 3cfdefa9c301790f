"""The facts about the site: its nodes, their gaps, its main jobs, and the allocations that it gives us."""

from msgspec import Struct

from idleq.ids import AllocationId, CommandId, Millis, NodeName
from idleq.machines import Machine
from idleq.scheduler.core.cause import CauseKind
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.inputs import NodeReport
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.transfers import Transfer


class NodesSeen(Struct, frozen=True, kw_only=True, gc=False):
    """These nodes look like this now, and those are no longer there."""

    deltas: tuple[NodeReport, ...]
    gone: tuple[NodeName, ...]


class GapClosed(Struct, frozen=True, kw_only=True, gc=False):
    """Main jobs, or a reservation, took what had been free on *node* since *opened_at*.

    *planned_end* is what the plan had named just before, None if nothing; *warned_ms* since how long it had named an end; *first_end*
    is what it had named first, and *cause* what the end was of. The last two are None where nothing was planned, or no cause said.
    """

    node: NodeName
    opened_at: Millis
    planned_end: Millis | None
    warned_ms: Millis
    first_end: Millis | None = None
    cause: CauseKind | None = None


class MainJobHeldUp(Struct, frozen=True, kw_only=True, gc=False):
    """A main job started where guests had to leave (harm is what it waited, and any guest still alive)."""

    main_job: str
    nodes: tuple[NodeName, ...]
    waited_ms: Millis
    bound_ms: Millis
    guests_alive: int


class AllocationAsked(Struct, frozen=True, kw_only=True, gc=False):
    """The site's scheduler is asked for an allocation, which fits into the gap *seen_on* that node, for jobs of *user* ("" for anybody's).

    A window is over at *ends_by* at the latest, whenever it begins.
    """

    allocation: AllocationId
    mode: Mode
    node: NodeName | None
    resources: Resources
    min_ms: Millis
    max_ms: Millis
    command: CommandId
    seen_on: NodeName | None = None
    user: str = ""
    ends_by: Millis | None = None


class AllocationStarted(Struct, frozen=True, kw_only=True, gc=False):
    """The site's scheduler started it."""

    allocation: AllocationId
    node: NodeName
    resources: Resources
    until: Millis | None


class AgentArrived(Struct, frozen=True, kw_only=True, gc=False):
    """Its agent is up and takes jobs; its node has these *abilities*, and *machine* is what it is like."""

    allocation: AllocationId
    node: NodeName
    resources: Resources
    until: Millis | None
    abilities: tuple[str, ...] = ()
    machine: Machine | None = None


class AllocationClosing(Struct, frozen=True, kw_only=True, gc=False):
    """Its agent was told to go, or is to go: no more jobs are bound to it."""

    allocation: AllocationId
    reason: str


class AllocationFailed(Struct, frozen=True, kw_only=True, gc=False):
    """The site's scheduler says that its node has failed: it takes no more jobs, and its agent's lease is renewed no more.

    It counts as there until that lease is over, since its guests may live on.
    """

    allocation: AllocationId
    reason: str


class AllocationReleased(Struct, frozen=True, kw_only=True, gc=False):
    """We give it back."""

    allocation: AllocationId
    reason: str
    command: CommandId


class AllocationEnded(Struct, frozen=True, kw_only=True, gc=False):
    """It is over."""

    allocation: AllocationId
    reason: str


class StrayGranted(Struct, frozen=True, kw_only=True, gc=False):
    """An allocation that was given up was granted all the same; it is given back."""

    allocation: AllocationId
    command: CommandId


class ReleaseDelayed(Struct, frozen=True, kw_only=True, gc=False):
    """It could not be given back; that is tried again at *again_at*."""

    allocation: AllocationId
    reason: str
    again_at: Millis


class RequestsSlowed(Struct, frozen=True, kw_only=True, gc=False):
    """The site's scheduler refused a request, or (*for_harm*) main jobs waited too long: none is made before *until*."""

    until: Millis
    reason: str
    for_harm: bool = False


class TransfersPlanned(Struct, frozen=True, kw_only=True, gc=False):
    """The guests of these allocations are to write in these stretches, instead of those that they had; None: whenever they have to."""

    transfers: tuple[tuple[AllocationId, Transfer | None], ...]
