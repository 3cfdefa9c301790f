"""The command line with a daemon that is not there: what it is asked is kept, what it answers is given."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import structs

from idleq.cli.client import Client, Jobs, JobView, Nodes, Outlook, Snapshots, Status, Submitted, Waited
from idleq.cli.entry import run
from idleq.cli.session import Session
from idleq.errors import IdleqError
from idleq.ids import AllocationId, EntryId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.scheduler.core.explain import Explanation
from idleq.scheduler.core.prospects import Prospect
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.scheduler.core.rows import EntryRow, InputCopies, JobDetail, JobRow, NodeRow, SnapshotRow, Summary
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod, JobSpec, Submission
from idleq.scheduler.core.wishes import Changes
from idleq.scheduler.errors import DaemonAway
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.plain import to_plain

NOW = Millis(1_780_000_000_000)
SECOND, MINUTE = 1_000, 60_000
GIB = 2**30

QUEUED = JobRow(
    id="18",
    entry=EntryId(18),
    tasks=1,
    name="echo",
    user="ada",
    priority=0,
    resources=Resources(1, GIB),
    labels=(),
    state="queued",
    reason="",
    node=None,
    allocation=None,
    fence=Fence(0),
    step=0,
    total=None,
    run_ms=Millis(0),
    running_since=None,
    freeze_at=None,
    queued_since=Millis(NOW - 42 * SECOND),
    snapshots=0,
    failures=0,
)
RUNNING = structs.replace(
    QUEUED,
    id="17",
    entry=EntryId(17),
    name="train-cgan",
    priority=5,
    resources=Resources(2, 2 * GIB),
    labels=(("project", "iact"),),
    state="running",
    node=NodeName("n3"),
    allocation=AllocationId("a12"),
    fence=Fence(2),
    step=340,
    total=1600,
    run_ms=Millis(20 * SECOND),
    running_since=Millis(NOW - 9 * SECOND),
    freeze_at=Millis(NOW + 30 * SECOND),
    queued_since=Millis(NOW - 5 * MINUTE),
    snapshots=1,
)
FROZEN = structs.replace(QUEUED, id="16", entry=EntryId(16), name="count", fence=Fence(1), snapshots=2, step=7)
HELD = structs.replace(
    QUEUED, id="19_[3-99]", entry=EntryId(19), name="sweep", tasks=97, state="held", reason="held by its user"
)
FAILED = structs.replace(
    QUEUED, id="15", entry=EntryId(15), name="broken", state="failed", reason="exit code 3", failures=1, code=3
)

SNAPSHOT = Snapshot(
    id=SnapshotId("s1"),
    fence=Fence(1),
    digest="d",
    bytes=5 * 2**20,
    taken_at=Millis(NOW - 70 * SECOND),
    run_ms=Millis(20 * SECOND),
)
DETAIL = JobDetail(
    row=RUNNING,
    spec=JobSpec(
        name="train-cgan",
        argv=("{python}", "-m", "idleq.workloads.cli", "train-cgan", "--quick"),
        resources=Resources(2, 2 * GIB),
        freeze=FreezeMethod.APP,
    ),
    after=(EntryId(3),),
    snapshots=(SNAPSHOT,),
)
ENTRY = EntryRow(entry=EntryId(17), tasks=1, untouched=0, active=1, done=0, failed=0, cancelled=0, is_over=False)

FREE_NODE = NodeRow(
    name=NodeName("n1"),
    is_up=True,
    capacity=Resources(4, 8 * GIB),
    free=Resources(4, 8 * GIB),
    main_job="",
    busy_until=None,
    gap_since=Millis(NOW - 12 * SECOND),
    gap_until=Millis(NOW + 95 * SECOND),
    gap_source="the plan",
    allocation=None,
    hold="",
    used=NOTHING,
    guests=(),
)
BUSY_NODE = structs.replace(
    FREE_NODE,
    name=NodeName("n2"),
    free=NOTHING,
    main_job="main-7",
    busy_until=Millis(NOW + 3 * MINUTE),
    gap_since=None,
    gap_until=None,
    gap_source="",
)
GUEST_NODE = structs.replace(
    FREE_NODE,
    name=NodeName("n3"),
    gap_until=None,
    gap_source="no main job is planned here",
    allocation=AllocationId("a12"),
    hold="ready",
    used=Resources(2, 2 * GIB),
    guests=(JobId("17"),),
)
DOWN_NODE = structs.replace(
    BUSY_NODE, name=NodeName("n4"), is_up=False, main_job="", busy_until=None, gap_source="drain"
)

SUMMARY = Summary(
    now=NOW,
    is_paused=False,
    pause_reason="",
    slowed_until=Millis(0),
    slowed_reason="",
    jobs={"queued": 1, "running": 1},
    allocations={"ready": 1},
    nodes=4,
    nodes_up=3,
    capacity=Resources(12, 24 * GIB),
    free=Resources(8, 16 * GIB),
    used=Resources(2, 2 * GIB),
)
WHY = Explanation(
    job=JobId("18"),
    state="queued",
    sentences=("1 allocations are asked for; jobs are given to them as they come up.",),
    ahead=1,
    level=3,
    nodes=(
        Prospect(NodeName("n1"), True, "its gap of 1 min 35 s is long enough (the plan)"),
        Prospect(NodeName("n2"), False, "main jobs have it (main-7)"),
    ),
)


def outlook(job: str, *, jobs: int = 1, done: int = 0, failed: int = 0, cancelled: int = 0) -> Outlook:
    """How far a job is; what has not ended goes on."""
    is_over = done + failed + cancelled == jobs
    return Outlook(target=JobId(job), is_over=is_over, jobs=jobs, done=done, failed=failed, cancelled=cancelled)


NO_COPIES = InputCopies(frozenset(), frozenset())


@dataclass(slots=True)
class FakeWire:
    """A daemon's API: answers are attributes, calls that change something are kept in *asked*.

    *refusal* is raised by every call, or only by those for what is in *refused* if there is anything.
    """

    rows: tuple[JobRow, ...] = ()
    view: JobView = field(default_factory=lambda: JobView(ENTRY, DETAIL))
    why: Explanation = WHY
    node_rows: tuple[NodeRow, ...] = ()
    snapshot_rows: tuple[SnapshotRow, ...] = ()
    summary: Summary = SUMMARY
    copies: InputCopies = NO_COPIES
    remarks: tuple[str, ...] = ()
    outlooks: list[tuple[Outlook, ...]] = field(default_factory=list)
    refusal: IdleqError | None = None
    refused: frozenset[object] = frozenset()
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    is_stopped: bool = False

    def submit(self, submissions: Sequence[Submission], request: str, user: str) -> dict[str, object]:
        assert len(request) == 32
        self._do("submit", tuple(submissions), user)
        return self._plain(Submitted(tuple(EntryId(17 + place) for place in range(len(submissions))), self.remarks))

    def jobs(self, *, with_final: bool = False) -> dict[str, object]:
        rows = [row for row in self.rows if with_final or row.state not in {"done", "failed", "cancelled"}]
        return self._plain(Jobs(tuple(rows)))

    def job(self, job: JobId) -> dict[str, object]:  # noqa: ARG002 - the answer is given
        return self._plain(self.view)

    def explain(self, job: JobId) -> dict[str, object]:  # noqa: ARG002 - the answer is given
        return self._plain(self.why)

    def cancel(self, job: JobId) -> None:
        self._do("cancel", job)

    def hold(self, job: JobId, reason: str = "") -> None:
        self._do("hold", job, reason)

    def release(self, job: JobId) -> None:
        self._do("release", job)

    def freeze(self, job: JobId, reason: str = "") -> None:
        self._do("freeze", job, reason)

    def move(self, job: JobId, to: str | None = None) -> None:
        self._do("move", job, to)

    def modify(self, job: JobId, changes: Changes) -> None:
        self._do("modify", job, changes)

    def input_copies(self, names: Sequence[str]) -> dict[str, object]:
        self._do("input_copies", tuple(names))
        return self._plain(self.copies)

    def snapshots(self) -> dict[str, object]:
        return self._plain(Snapshots(self.snapshot_rows))

    def remove_snapshot(self, job: JobId, snapshot: SnapshotId) -> None:
        self._do("remove_snapshot", job, snapshot)

    def status(self) -> dict[str, object]:
        return self._plain(Status("d1", 4242, self.summary))

    def nodes(self) -> dict[str, object]:
        return self._plain(Nodes(self.node_rows))

    def pause(self, *, empty: bool = False, reason: str = "") -> None:
        self._do("pause", empty, reason)

    def resume(self) -> None:
        self._do("resume")

    def wait(self, jobs: Sequence[JobId], timeout_ms: int) -> dict[str, object]:  # noqa: ARG002 - the answer is given
        if self.refusal is not None and not self.refused:
            raise self.refusal
        now = self.outlooks.pop(0) if len(self.outlooks) > 1 else self.outlooks[0]
        return self._plain(Waited(all(one.is_over for one in now), now))

    def shut_down(self) -> None:
        self._do("shut_down")
        self.is_stopped = True

    def _do(self, *what: Any) -> None:
        if self.refusal is not None and (not self.refused or what[1] in self.refused):
            raise self.refusal
        self.asked.append(what)

    def _plain(self, answer: object) -> dict[str, object]:
        if self.refusal is not None and not self.refused:
            raise self.refusal
        plain: dict[str, object] = json.loads(json.dumps(to_plain(answer)))
        return plain


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a person saw of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout; anything else there is an error."""
        return json.loads(self.out)


@dataclass(slots=True)
class CommandLine:
    """Runs commands against *wire* (None: no daemon answers), in a server directory of its own."""

    server_dir: Path
    wire: FakeWire | None = field(default_factory=FakeWire)
    environment: dict[str, str] = field(default_factory=lambda: {"USER": "ada", "HOME": "/nowhere"})
    now: Callable[[], Millis] = lambda: NOW

    @property
    def paths(self) -> ServerPaths:
        return ServerPaths(self.server_dir)

    def __call__(self, *arguments: str) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        session = Session(
            environment=self.environment | {"IDLEQ_SERVER_DIR": str(self.server_dir)},
            now=self.now,
            connect=self._connect,
            stdin=io.StringIO(),
            stdout=out,
            stderr=err,
        )
        code = run(arguments, session)
        return Outcome(code, out.getvalue(), err.getvalue())

    def _connect(self, paths: ServerPaths) -> Client:
        if self.wire is None or self.wire.is_stopped:
            raise DaemonAway(f"no daemon serves {paths.root.name}: start one with `idleq daemon start`")
        return Client(self.wire)
