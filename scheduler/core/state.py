"""All that the engine knows. Only `apply` changes it."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, assert_never

from idleq.ids import AllocationId, CommandId, EntryId, JobId, Millis, NodeName, entry_of, index_of
from idleq.machines import Machine
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.costs import Basis, Costs, Typical
from idleq.scheduler.core.entry import Entry, Rest
from idleq.scheduler.core.gaps import Foresight, FreeNodes, Gap
from idleq.scheduler.core.harm import HarmMemory
from idleq.scheduler.core.hazard import PLACES, Outlook
from idleq.scheduler.core.inputs import NodeReport
from idleq.scheduler.core.job import Cancelled, Held, Job, JobState, Queued, Waiting
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.queue import Queue
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.scheduler.core.transfers import Transfer, Transfers

FAR = Millis(2**62)
"""Later than every end: sorts gaps without an end behind all others."""


LONG_AGO = Millis(-FAR)


class Hold(StrEnum):
    """How far an allocation is."""

    #: Asked for, not granted.
    ASKED = "asked"
    #: Granted; its agent is not up.
    GRANTED = "granted"
    #: Its agent takes jobs.
    READY = "ready"
    #: Its agent was told to go, or its node has failed: it takes no more jobs.
    CLOSING = "closing"
    #: We gave it back, and wait to hear that it is over.
    RELEASED = "released"


@dataclass(slots=True)
class Allocation:
    """What we hold of one node.

    Attributes:
        id: our name for it.
        hold: how far it is.
        mode: how it gives way.
        command: the command that asked for it, or gave it back.
        node: where, once that is known.
        resources: how much.
        min_ms, max_ms: the length that was asked for.
        ends_by: when it is over at the latest, whenever it begins; None if only its length is given.
        seen_on: in whose gap it was seen to fit.
        user: whose jobs alone run in it; "" for anybody's.
        until: when it ends at the latest, None if no end is known.
        used: what its guests hold.
        guests: whom it hosts.
        ahead: those of them that start once there is room, in this order; they hold nothing yet.
        idle_since: since when it hosts nobody, None while it does.
        has_failed: whether the site's scheduler says that its node has.
        failed_launches: how many launches in a row failed there.
        abilities: what its node can do, once its agent has said so.
        machine: what its node is like, None until its agent has said so.
        transfer: when its guests write to the file system that all nodes share; None if whenever they have to.
    """

    id: AllocationId
    hold: Hold
    mode: Mode
    command: CommandId
    node: NodeName | None
    resources: Resources
    min_ms: Millis
    max_ms: Millis
    ends_by: Millis | None = None
    seen_on: NodeName | None = None
    user: str = ""
    until: Millis | None = None
    used: Resources = NOTHING
    guests: dict[JobId, None] = field(default_factory=dict)
    ahead: dict[JobId, None] = field(default_factory=dict)
    idle_since: Millis | None = None
    has_failed: bool = False
    failed_launches: int = 0
    abilities: frozenset[str] = frozenset()
    machine: Machine | None = None
    transfer: Transfer | None = None

    @property
    def room(self) -> Resources:
        """What it can still take."""
        return self.resources - self.used

    @property
    def is_full(self) -> bool:
        """Whether it has no core to give."""
        return self.resources.cores <= self.used.cores


@dataclass(slots=True)
class Node:
    """A node as last seen.

    Attributes:
        report: what the site's scheduler shows.
        gap: what main jobs leave of it, None if nothing.
        planned_since: since when the plan has named an end of this kind for the gap, None if it names none.
        first_end: the end that it named first.
        allocation: what we hold of it, None if nothing.
        place: the gap's place among the free nodes (see `hazard.place_of`).
        counted_until: up to when the hazard has counted that the gap stayed open.
        abilities: what the last agent there said that it can do; None if there was none.
        machine: what it is like, None as long as no agent was there to say so.
    """

    report: NodeReport
    gap: Gap | None = None
    planned_since: Millis | None = None
    first_end: Millis | None = None
    allocation: AllocationId | None = None
    place: int = PLACES - 1
    counted_until: Millis = Millis(0)
    abilities: frozenset[str] | None = None
    machine: Machine | None = None

    def outlook(self, gap: Gap) -> Outlook:
        """Return what is shown of *gap*, which is this node's."""
        return Outlook(gap.since, gap.end.likely, self.place)

    @property
    def is_taken(self) -> bool:
        """Whether main jobs leave nothing of it."""
        return self.report.is_up and self.report.is_taken


@dataclass(slots=True)
class Agenda:
    """What a turn's facts gave reason to look at; empty between turns.

    Attributes:
        finished: entries that others may have waited for.
        rooms: allocations that have more room than before.
        moved: nodes whose gap or whose guests have changed.
        grown: what jobs that came into the queue need.
        demand: whether there may be reason to ask for allocations.
    """

    finished: dict[EntryId, None] = field(default_factory=dict)
    rooms: dict[AllocationId, None] = field(default_factory=dict)
    moved: dict[NodeName, None] = field(default_factory=dict)
    grown: dict[Resources, None] = field(default_factory=dict)
    demand: bool = False

    def clear(self) -> None:
        """Forget all of it."""
        if self.finished:
            self.finished.clear()
        if self.rooms:
            self.rooms.clear()
        if self.moved:
            self.moved.clear()
        if self.grown:
            self.grown.clear()
        self.demand = False


class Alarm(StrEnum):
    """What to look at again at a certain time. An alarm that no longer matters does nothing."""

    #: A job's delay is over.
    DELAY = "delay"
    #: An allocation may have been empty for long enough.
    LINGER = "linger"
    #: A job may have run for as long as it may.
    MAX_RUN = "max run"
    #: Allocations may be asked for again.
    SLOW = "slow"
    #: An allocation that could not be given back may be now.
    RELEASE = "release"
    #: A window may have waited for too long in the site's queue.
    WINDOW = "window"
    #: The gap that an allocation was asked for may have become too short for it.
    SHORT = "short"
    #: A job that is to be moved may have waited for long enough.
    MOVE = "move"


class Offer(NamedTuple):
    """What of a gap decides who can run in it, besides how long it lasts."""

    free: Resources
    abilities: frozenset[str] | None
    machine: Machine | None


@dataclass(slots=True)
class OpenGaps:
    """The gaps in which we hold nothing, those that last longest at the end.

    Attributes:
        order: all of them.
        ends: when each one ends.
        offers: what each one offers.
        alike: those that offer the same, in their order.
    """

    order: list[tuple[Millis, NodeName]] = field(default_factory=list)
    ends: dict[NodeName, Millis] = field(default_factory=dict)
    offers: dict[NodeName, Offer] = field(default_factory=dict)
    alike: dict[Offer, list[tuple[Millis, NodeName]]] = field(default_factory=dict)

    @property
    def latest_end(self) -> Millis:
        """When the last of them ends; long ago if there is none."""
        return self.order[-1][0] if self.order else LONG_AGO

    def put(self, node: NodeName, end: Millis | None, offer: Offer) -> None:
        """*node* is open until *end*."""
        self.drop(node)
        place = (FAR if end is None else end, node)
        self.ends[node], self.offers[node] = place[0], offer
        insort(self.order, place)
        insort(self.alike.setdefault(offer, []), place)

    def drop(self, node: NodeName) -> None:
        """*node* is not open (any more)."""
        end = self.ends.pop(node, None)
        if end is None:
            return
        del self.order[bisect_left(self.order, (end, node))]
        offer = self.offers.pop(node)
        alike = self.alike[offer]
        del alike[bisect_left(alike, (end, node))]
        if not alike:
            del self.alike[offer]


@dataclass(slots=True)
class State:
    """The engine's memory; equal facts make equal states.

    Besides what the names say: *asked* are the allocations that wait in the site's queue, *coming* those and the granted ones
    whose agent is not up, *roomy* those whose agent could take a job; *requests* are the first and the last entry of each submit, by its key;
    *transfers* the stretches of all allocations that were given one; *dependents* the entries that wait for an entry; *moving* the jobs in line that are to go on elsewhere than before; *ramp* is how many allocations may be asked for at once.
    """

    policy: Policy
    now: Millis = field(default=Millis(0), compare=False)
    next_entry: int = 1
    next_allocation: int = 1
    next_command: int = 1
    is_paused: bool = False
    is_emptying: bool = False
    pause_reason: str = ""
    slowed_until: Millis = Millis(0)
    slowed_reason: str = ""
    ramp: int = 0
    entries: dict[EntryId, Entry] = field(default_factory=dict)
    jobs: dict[JobId, Job] = field(default_factory=dict)
    requests: dict[str, tuple[EntryId, EntryId]] = field(default_factory=dict)
    dependents: dict[EntryId, dict[EntryId, None]] = field(default_factory=dict)
    moving: dict[JobId, None] = field(default_factory=dict)
    queue: Queue = field(default_factory=Queue)
    nodes: dict[NodeName, Node] = field(default_factory=dict)
    open_gaps: OpenGaps = field(default_factory=OpenGaps)
    free_nodes: FreeNodes = field(default_factory=FreeNodes)
    allocations: dict[AllocationId, Allocation] = field(default_factory=dict)
    asked: dict[AllocationId, None] = field(default_factory=dict)
    coming: dict[AllocationId, None] = field(default_factory=dict)
    roomy: dict[AllocationId, None] = field(default_factory=dict)
    transfers: Transfers = field(default_factory=Transfers)
    costs: Costs = field(default_factory=Costs)
    foresight: Foresight = field(default_factory=Foresight)
    harm: HarmMemory = field(default_factory=HarmMemory)
    agenda: Agenda = field(default_factory=Agenda)
    alarms: list[tuple[Millis, Alarm, str]] = field(default_factory=list, compare=False)

    def job(self, job: JobId) -> Job | None:
        """Return the job of that name, also one that has never been touched; None if there is none."""
        known = self.jobs.get(job)
        if known is not None:
            return known
        entry = self._entry_with(job)
        if entry is None:
            return None
        return Job(id=job, entry=entry.id, state=_rest_state(entry), queued_since=entry.queued_since)

    def typical(self, entry: Entry, job: Job | None) -> Typical:
        """Return what plans take *job* of *entry* to be like (None: one that has never begun)."""
        policy = self.policy
        size = None if job is None else job.bytes
        return self.costs.typical(entry.kinds, size, policy.freeze_ms, policy.thaw_ms)

    def basis(self, entry: Entry, job: Job) -> Basis:
        """Return where comes from what is believed of the freezes of *job*, which is of *entry*."""
        typical = self.typical(entry, job)
        return self.costs.freeze(entry.kinds, 950, typical.bytes, self.policy.freeze_ms)[1]

    def _entry_with(self, job: JobId) -> Entry | None:
        entry = self.entries.get(entry_of(job))
        if entry is None:
            return None
        index, array = index_of(job), entry.submission.array
        is_its_own = index is None if array is None else index in array
        return entry if is_its_own else None


def _rest_state(entry: Entry) -> JobState:
    match entry.rest:
        case Rest.HELD:
            return Held(entry.reason)
        case Rest.WAITING:
            return Waiting()
        case Rest.CANCELLED:
            return Cancelled(entry.reason, entry.cancelled_at)
        case Rest.QUEUED:
            return Queued()
        case _:
            assert_never(entry.rest)
