"""The server directory: the only place that knows a file's name in it."""

import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from idleq.ids import (
    JOB_NAME,
    AllocationId,
    CommandId,
    Fence,
    JobId,
    NodeName,
    SnapshotId,
    entry_of,
    index_of,
)
from idleq.scheduler.errors import BadMessage, ServerDirectoryUnsafe, ServerDirectoryUnusable

LONGEST_NAME = 200
"""Names become file names, which Linux ends at 255 bytes; some room is left for what is written beside them."""

AGENT_PID = "agent.pid"
"""In an allocation's scratch on the node's own disk: the number of the agent that is at home there."""


class SegmentPaths(Struct, frozen=True):
    """One segment's own directory."""

    root: Path

    @property
    def stdout(self) -> Path:
        """What the workload prints, written live."""
        return self.root / "stdout"

    @property
    def stderr(self) -> Path:
        """What it prints as errors, written live."""
        return self.root / "stderr"

    @property
    def output(self) -> Path:
        """What it left as output; appears whole, at the segment's end."""
        return self.root / "output"

    @property
    def manifest(self) -> Path:
        """The checksums of the output."""
        return self.root / "manifest.json"


class SnapshotPaths(Struct, frozen=True):
    """One snapshot's directory; appears whole."""

    root: Path

    @property
    def manifest(self) -> Path:
        """The checksums of every file in it."""
        return self.root / "manifest.json"

    @property
    def files(self) -> Path:
        """All that it holds."""
        return self.root / "files"

    @property
    def checkpoint(self) -> Path:
        """The workload's checkpoint folder."""
        return self.files / "checkpoint"

    @property
    def output(self) -> Path:
        """The workload's output as it was then."""
        return self.files / "output"


class JobPaths(Struct, frozen=True):
    """One job's directory."""

    root: Path

    @property
    def segments(self) -> Path:
        """One directory per segment."""
        return self.root / "segments"

    @property
    def snapshots(self) -> Path:
        """One directory per snapshot."""
        return self.root / "snapshots"

    @property
    def result(self) -> Path:
        """A link to the accepted segment's output; absent until there is one."""
        return self.root / "result"

    def segment(self, fence: Fence) -> SegmentPaths:
        """Return where that segment writes."""
        return SegmentPaths(self.segments / f"{fence:04d}")

    def snapshot(self, snapshot: SnapshotId) -> SnapshotPaths:
        """Return where that snapshot is."""
        return SnapshotPaths(self.snapshots / part(snapshot))


class AllocationPaths(Struct, frozen=True):
    """One allocation's directory: what its agent and the daemon tell each other."""

    root: Path

    @property
    def token(self) -> Path:
        """Serves this allocation only."""
        return self.root / "token"

    @property
    def agent(self) -> Path:
        """Who the agent is: pid, start time, boot id, node."""
        return self.root / "agent.json"

    @property
    def agent_lock(self) -> Path:
        """Held by the one agent while it lives."""
        return self.root / "agent.lock"

    @property
    def reports(self) -> Path:
        """Every report that the agent ever made, one a line."""
        return self.root / "reports.jsonl"

    @property
    def inbox(self) -> Path:
        """Commands left for the agent, one a file."""
        return self.root / "inbox"

    @property
    def question(self) -> Path:
        """What an agent without the API last asked."""
        return self.root / "question.json"

    @property
    def answer(self) -> Path:
        """What it was answered."""
        return self.root / "answer.json"

    @property
    def log(self) -> Path:
        """The agent's log."""
        return self.root / "agent.log"

    def command(self, command: CommandId, epoch: int = 0) -> Path:
        """Return the file in which the daemon of *epoch* leaves that command."""
        return self.inbox / (f"{command:012d}.{epoch}.json" if epoch else f"{command:012d}.json")


class ClusterPaths(Struct, frozen=True):
    """The embedded cluster's own directory."""

    root: Path

    @property
    def settings(self) -> Path:
        """What it was started with."""
        return self.root / "settings.json"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.root / "socket"

    @property
    def lock(self) -> Path:
        """Held by the one process that is the cluster."""
        return self.root / "lock"

    @property
    def log(self) -> Path:
        """Its log."""
        return self.root / "cluster.log"

    @property
    def allocations(self) -> Path:
        """The agents it started, one a line."""
        return self.root / "allocations.jsonl"

    @property
    def nodes(self) -> Path:
        """One directory per node."""
        return self.root / "nodes"

    def scratch(self, node: NodeName, allocation: AllocationId) -> Path:
        """Return the node's own disk, as far as that allocation sees it."""
        return self.nodes / part(node) / "scratch" / part(allocation)


class ServerPaths(Struct, frozen=True):
    """All that one daemon and its agents and clients share."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ServerPaths":
        """Return $IDLEQ_SERVER_DIR, else idleq in $XDG_STATE_HOME, else in ~/.local/state."""
        if own := environment.get("IDLEQ_SERVER_DIR"):
            return cls(Path(own).absolute())
        state = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME") or Path.home(), ".local", "state")
        return cls(Path(state, "idleq").absolute())

    @property
    def config(self) -> Path:
        """What the site's person wrote."""
        return self.root / "config.toml"

    @property
    def access(self) -> Path:
        """Where the daemon listens, its certificate and the people's token; 0600."""
        return self.root / "access.json"

    @property
    def key(self) -> Path:
        """The certificate's private key; 0600."""
        return self.root / "key.pem"

    @property
    def certificate(self) -> Path:
        """What clients pin."""
        return self.root / "cert.pem"

    @property
    def slurm_token(self) -> Path:
        """What slurmrestd knows us by; 0600."""
        return self.root / "slurm.token"

    @property
    def seal(self) -> Path:
        """With what the daemon of a site marks allocations as its own; 0600."""
        return self.root / "seal.key"

    @property
    def door(self) -> Path:
        """How the daemon of a site is reached, if this is the folder that one of its users has there; for everybody to read."""
        return self.root.parent.parent / "door.json"

    @property
    def journal(self) -> Path:
        """The truth."""
        return self.root / "journal.db"

    @property
    def log(self) -> Path:
        """The daemon's log."""
        return self.root / "daemon.log"

    @property
    def lock(self) -> Path:
        """Held by the one daemon."""
        return self.root / "lock"

    @property
    def allocations(self) -> Path:
        """One directory per allocation."""
        return self.root / "allocations"

    @property
    def jobs(self) -> Path:
        """One directory per entry."""
        return self.root / "jobs"

    @property
    def inputs(self) -> Path:
        """One directory for the inputs of each submit."""
        return self.root / "inputs"

    def input(self, name: str) -> Path:
        """Return where the inputs called *name* are."""
        return self.inputs / part(name)

    @property
    def cluster(self) -> ClusterPaths:
        """The embedded cluster's files."""
        return ClusterPaths(self.root / "cluster")

    def allocation(self, allocation: AllocationId) -> AllocationPaths:
        """Return where that allocation's files are."""
        return AllocationPaths(self.allocations / part(allocation))

    def job(self, job: JobId) -> JobPaths:
        """Return where that job's files are: jobs/17, or jobs/17/3 for a task."""
        if not JOB_NAME.fullmatch(job):
            message = f"{job!r} is no job's name; names are like 17, or 17_3 for a task of an array"
            raise BadMessage(message)
        root, index = self.jobs / str(entry_of(job)), index_of(job)
        return JobPaths(root if index is None else root / str(index))

    def create(self) -> None:
        """Make the directories that are not there yet, for nobody but us, and check those that are.

        Raises:
            ServerDirectoryUnsafe, ServerDirectoryUnusable: see `check`.
        """
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for directory in self._directories():
                if not os.path.lexists(directory):
                    directory.mkdir(mode=0o700, exist_ok=True)  # agents of one user may begin on two nodes at once
                _check(directory)
        except OSError as error:
            raise self._unusable("made", error) from error

    def check(self) -> None:
        """See that nobody else can read or write here; where there is no directory yet nothing is wrong.

        Raises:
            ServerDirectoryUnsafe: a directory is open to others, is another's, is a link or is none.
            ServerDirectoryUnusable: we may not even look.
        """
        for directory in self._directories():
            try:
                _check(directory)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise self._unusable("looked into", error) from error

    def _unusable(self, what: str, error: OSError) -> ServerDirectoryUnusable:
        where = "" if error.filename in {None, str(self.root)} else f" at {error.filename}"
        return ServerDirectoryUnusable(
            f"the server directory {self.root} cannot be {what}: {error.strerror}{where};"
            " set IDLEQ_SERVER_DIR to a place of your own"
        )

    def is_ours(self) -> bool:
        """Whether the directory is a directory and belongs to us, be it open to others or not."""
        try:
            found = self.root.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()

    def _directories(self) -> tuple[Path, ...]:
        return self.root, self.allocations, self.jobs, self.cluster.root


def _check(directory: Path) -> None:
    found = directory.lstat()
    if stat.S_ISLNK(found.st_mode):
        problem, remedy = (
            "is a link",
            f"set IDLEQ_SERVER_DIR to where it leads: {directory.resolve()}",
        )
    elif not stat.S_ISDIR(found.st_mode):
        problem, remedy = (
            "is not a directory",
            "move it away, or set IDLEQ_SERVER_DIR to another place",
        )
    elif found.st_uid != os.geteuid():
        problem, remedy = (
            f"belongs to user {found.st_uid}",
            "set IDLEQ_SERVER_DIR to a directory of your own",
        )
    elif found.st_mode & 0o077:
        problem, remedy = (
            f"is open to others (mode {found.st_mode & 0o777:o})",
            f"type: chmod 700 {shlex.quote(str(directory))}",
        )
    else:
        return
    message = f"the server directory holds the token, and {directory} {problem}; {remedy}"
    raise ServerDirectoryUnsafe(message)


def part(name: str) -> str:
    """Return *name* if it can be one part of a path and nothing else."""
    if name.startswith(".") or "/" in name or "\0" in name or not 0 < len(name.encode()) <= LONGEST_NAME:
        message = f"{name!r} cannot be a file's name"
        raise BadMessage(message)
    return name
