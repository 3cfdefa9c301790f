"""The rows in which `queries` and `noderows` tell of the state: by themselves, since whoever only reads them need not wait for the rest."""

from msgspec import Struct

from idleq.ids import AllocationId, EntryId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import JobSpec


class JobRow(Struct, frozen=True, kw_only=True):
    """A job, or what of an array has never started.

    Attributes:
        id: "17", "17_3", or "17_[5-99]" for the rest of an array.
        entry: the entry.
        tasks: how many jobs the row stands for.
        name, user, priority, resources, labels: as submitted.
        state: the state's name in lower case.
        reason: why, where the state has a reason.
        node: where it runs, None if it does not.
        allocation: in which allocation.
        fence: its last segment's number, 0 if it never started.
        step, total: how far it says it is.
        run_ms: how long it had run up to its newest snapshot.
        running_since: since when the present segment's process is up.
        freeze_at: when the present segment will be frozen, if that is known.
        queued_since: its age.
        snapshots: how many it can be thawed from.
        failures: how often its workload failed.
        code: the exit code of what failed (minus a signal's number), None for all others.
    """

    id: str
    entry: EntryId
    tasks: int
    name: str
    user: str
    priority: int
    resources: Resources
    labels: tuple[tuple[str, str], ...]
    state: str
    reason: str
    node: NodeName | None
    allocation: AllocationId | None
    fence: Fence
    step: int
    total: int | None
    run_ms: Millis
    running_since: Millis | None
    freeze_at: Millis | None
    queued_since: Millis
    snapshots: int
    failures: int
    code: int | None = None


class JobDetail(Struct, frozen=True, kw_only=True):
    """All there is to know of one job."""

    row: JobRow
    spec: JobSpec
    after: tuple[EntryId, ...]
    snapshots: tuple[Snapshot, ...]


class SnapshotRow(Struct, frozen=True, kw_only=True):
    """A snapshot of a job that has no result.

    Attributes:
        job: whose.
        name: the job's name.
        snapshot: what the journal knows of it.
        is_newest: whether the job goes on from it.
        in_use: whether the job's present segment was thawed from it.
        is_over: whether the job is over, so that nobody will thaw it.
    """

    job: JobId
    name: str
    snapshot: Snapshot
    is_newest: bool
    in_use: bool
    is_over: bool


class EntryRow(Struct, frozen=True, kw_only=True):
    """How far an entry is.

    Attributes:
        entry: its number.
        tasks: how many jobs it has.
        untouched: how many of them never started.
        active: how many hold resources.
        done, failed, cancelled: how many ended how.
        is_over: whether all ended.
    """

    entry: EntryId
    tasks: int
    untouched: int
    active: int
    done: int
    failed: int
    cancelled: int
    is_over: bool


class NodeRow(Struct, frozen=True, kw_only=True):
    """A node, its gap, and what we hold of it.

    Attributes:
        name, is_up, capacity: as the site's scheduler shows it.
        free: what main jobs leave.
        main_job: what main job is on it.
        busy_until: until when, by its time limit.
        gap_since, gap_until: the gap, None for either if there is none or no end is known.
        gap_source: where the belief about its end comes from; of a node that is not up, why it is not.
        allocation, hold: what we hold there and how far that is.
        used: what guests hold.
        guests: who they are.
        gap_early: the gap ends before this in one of twenty cases, None if no end is known.
        gap_trust: so many of a hundred such ends have come true, and are believed to; None as well.
        gap_cases: how many were seen of that kind.
        opens_until: until when the gap that comes next would last, None if none is known.
        has_hosted: whether an agent of ours has come up there.
    """

    name: NodeName
    is_up: bool
    capacity: Resources
    free: Resources
    main_job: str
    busy_until: Millis | None
    gap_since: Millis | None
    gap_until: Millis | None
    gap_source: str
    allocation: AllocationId | None
    hold: str
    used: Resources
    guests: tuple[JobId, ...]
    gap_early: Millis | None = None
    gap_trust: int | None = None
    gap_cases: int = 0
    opens_until: Millis | None = None
    has_hosted: bool = False


class Summary(Struct, frozen=True, kw_only=True):
    """Everything at a glance.

    Attributes:
        now: engine time.
        is_paused, pause_reason: whether nothing starts, and why.
        slowed_until, slowed_reason: until when no allocation is asked for, and why (0: not slowed).
        jobs: how many are in which state; queued ones that have a snapshot are counted as frozen.
        allocations: how many are how far.
        nodes, nodes_up: how many there are.
        capacity, free, used: all nodes together: what they have, what main jobs leave, what guests hold.
        unfreezable: how many of the jobs that start or run cannot be frozen, and begin anew whenever they have to leave.
    """

    now: Millis
    is_paused: bool
    pause_reason: str
    slowed_until: Millis
    slowed_reason: str
    jobs: dict[str, int]
    allocations: dict[str, int]
    nodes: int
    nodes_up: int
    capacity: Resources
    free: Resources
    used: Resources
    unfreezable: int = 0


class InputCopies(Struct, frozen=True):
    """Names of copies, in no order.

    Attributes:
        wanted: those that a job has which is not over.
        spent: those that only jobs have which are done, since a submit names its copies once. One that failed or was cancelled may
            be looked into, and its snapshots be tried.
    """

    wanted: frozenset[str]
    spent: frozenset[str]
