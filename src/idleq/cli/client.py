"""What commands ask of the daemon, in typed rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from idleq.ids import EntryId, JobId, SnapshotId
from idleq.scheduler.core.rows import EntryRow, InputCopies, JobDetail, JobRow, NodeRow, SnapshotRow, Summary
from idleq.scheduler.core.submission import Submission
from idleq.scheduler.core.wishes import Changes
from idleq.scheduler.plain import from_plain

if TYPE_CHECKING:
    from idleq.scheduler.core.explain import Explanation


class Submitted(Struct, frozen=True, omit_defaults=True):
    """The entries that a submission made, in its order; *remarks* of what gaps do not suit as it is described."""

    entries: tuple[EntryId, ...]
    remarks: tuple[str, ...] = ()


class Jobs(Struct, frozen=True):
    """Rows of jobs; *is_cut* if there are more."""

    jobs: tuple[JobRow, ...]
    is_cut: bool = False


class JobView(Struct, frozen=True):
    """An entry or one of its jobs: *job* is None for a whole array, whose rows are in *jobs*."""

    entry: EntryRow
    job: JobDetail | None
    jobs: tuple[JobRow, ...] = ()
    is_cut: bool = False


class Nodes(Struct, frozen=True):
    """Every node with its gap."""

    nodes: tuple[NodeRow, ...]


class Snapshots(Struct, frozen=True):
    """Rows of snapshots; *is_cut* if there are more."""

    snapshots: tuple[SnapshotRow, ...]
    is_cut: bool = False


class Status(Struct, frozen=True):
    """The daemon, and everything at a glance."""

    daemon: str
    pid: int
    summary: Summary


class Outlook(Struct, frozen=True, kw_only=True):
    """How far one of the targets is: of its *jobs*, so many ended in each way."""

    target: JobId
    is_over: bool
    jobs: int
    done: int
    failed: int
    cancelled: int


class Waited(Struct, frozen=True):
    """All targets, in the order asked, and whether all are over."""

    is_over: bool
    jobs: tuple[Outlook, ...]


class Wire(Protocol):
    """The API's client (idleq.scheduler.api.client.Client): answers are plain JSON."""

    def submit(self, submissions: Sequence[Submission], request: str, user: str) -> dict[str, object]: ...
    def jobs(self, *, with_final: bool = False) -> dict[str, object]: ...
    def job(self, job: JobId) -> dict[str, object]: ...
    def explain(self, job: JobId) -> dict[str, object]: ...
    def cancel(self, job: JobId) -> None: ...
    def hold(self, job: JobId, reason: str = "") -> None: ...
    def release(self, job: JobId) -> None: ...
    def freeze(self, job: JobId, reason: str = "") -> None: ...
    def move(self, job: JobId, to: str | None = None) -> None: ...
    def modify(self, job: JobId, changes: Changes) -> None: ...
    def input_copies(self, names: Sequence[str]) -> dict[str, object]: ...
    def snapshots(self) -> dict[str, object]: ...
    def remove_snapshot(self, job: JobId, snapshot: SnapshotId) -> None: ...
    def status(self) -> dict[str, object]: ...
    def nodes(self) -> dict[str, object]: ...
    def pause(self, *, empty: bool = False, reason: str = "") -> None: ...
    def resume(self) -> None: ...
    def wait(self, jobs: Sequence[JobId], timeout_ms: int) -> dict[str, object]: ...
    def shut_down(self) -> None: ...


class Client:
    """Asks one daemon. Every method raises what the daemon answers as the error that it is.

    What a newer daemon adds to a row is passed over; what a row lacks is a BadMessage.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def submit(self, submissions: Sequence[Submission], *, request: str, user: str) -> Submitted:
        """Submit all, or none; the same *request* again is the same submission."""
        return from_plain(self._wire.submit(submissions, request, user), Submitted)

    def jobs(self, *, with_final: bool = False) -> Jobs:
        """Return the jobs that are not over, or all."""
        return from_plain(self._wire.jobs(with_final=with_final), Jobs)

    def job(self, job: JobId) -> JobView:
        """Return all about an entry or a job."""
        return from_plain(self._wire.job(job), JobView)

    def explain(self, job: JobId) -> "Explanation":
        """Return why *job* is where it is."""
        from idleq.scheduler.core.explain import Explanation

        return from_plain(self._wire.explain(job), Explanation)

    def cancel(self, job: JobId) -> None:
        """End *job* for good."""
        self._wire.cancel(job)

    def hold(self, job: JobId, reason: str) -> None:
        """Let *job* not start, and freeze it if it runs."""
        self._wire.hold(job, reason)

    def release(self, job: JobId) -> None:
        """Let *job* start again."""
        self._wire.release(job)

    def freeze(self, job: JobId, reason: str) -> None:
        """Freeze what runs of *job*, until it is released."""
        self._wire.freeze(job, reason)

    def move(self, job: JobId, to: str | None) -> None:
        """Freeze *job* and thaw it on another node: on *to*, if one is named."""
        self._wire.move(job, to)

    def modify(self, job: JobId, changes: Changes) -> None:
        """Make *job* another in what *changes* say."""
        self._wire.modify(job, changes)

    def input_copies(self, names: Sequence[str]) -> InputCopies:
        """Return what the daemon knows of the copies of inputs called so."""
        return from_plain(self._wire.input_copies(names), InputCopies)

    def snapshots(self) -> Snapshots:
        """Return the snapshots of all jobs that have no result."""
        return from_plain(self._wire.snapshots(), Snapshots)

    def remove_snapshot(self, job: JobId, snapshot: SnapshotId) -> None:
        """Let *job* forget *snapshot*; its files are the caller's to remove."""
        self._wire.remove_snapshot(job, snapshot)

    def status(self) -> Status:
        """Return everything at a glance."""
        return from_plain(self._wire.status(), Status)

    def nodes(self) -> tuple[NodeRow, ...]:
        """Return every node with its gap."""
        return from_plain(self._wire.nodes(), Nodes).nodes

    def pause(self, *, empty: bool, reason: str) -> None:
        """Start nothing from here on; with *empty* get the guests off the nodes too."""
        self._wire.pause(empty=empty, reason=reason)

    def resume(self) -> None:
        """Start jobs again."""
        self._wire.resume()

    def wait(self, jobs: Sequence[JobId], timeout_ms: int) -> Waited:
        """Return when all *jobs* are over, or after *timeout_ms*."""
        return from_plain(self._wire.wait(jobs, timeout_ms), Waited)

    def shut_down(self) -> None:
        """Stop the daemon; what runs goes on for a while."""
        self._wire.shut_down()
