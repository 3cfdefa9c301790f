"""One daemon per server directory: the lock, and who holds it.

The kernel lets go of the lock when its holder dies, however it dies. On some shared file systems it binds only the
processes of one host; so the holder also writes down who it is, and a record left by another host counts too.
"""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from idleq.ids import Millis
from idleq.processes import boot_id, started
from idleq.scheduler import codec
from idleq.scheduler.errors import BadMessage, DaemonRunning, SchedulerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that nobody takes for another one: pids come round again, start times do not.

    Attributes:
        pid: its number.
        host: where it runs.
        boot: the boot of that host.
        started: its start, in the kernel's ticks since the boot.
    """

    pid: int
    host: str
    boot: str
    started: int

    @classmethod
    def this_process(cls) -> "Owner":
        """Return who we are."""
        return cls(pid=os.getpid(), host=socket.gethostname(), boot=boot_id(), started=started(os.getpid()) or 0)

    def is_alive_here(self) -> bool:
        """Whether it is a process of this host and still runs."""
        return self.host == socket.gethostname() and self.boot == boot_id() and started(self.pid) == self.started


@contextmanager
def hold(path: Path, owner: Owner, *, take_over: bool = False) -> Iterator[None]:
    """Hold the lock at *path* as *owner*; with *take_over* even if a process of another host has not let go of it.

    Raises:
        DaemonRunning: somebody else holds it; nothing was changed.
    """
    descriptor = _locked(path)
    try:
        last = _read(descriptor)
        if last is not None and last.host != owner.host and not take_over:
            raise DaemonRunning(
                f"a daemon on {last.host} (process {last.pid}) holds {path.parent} or died there; see there with"
                f" `idleq daemon status`, and if it is dead remove {path}"
            )
        _write(descriptor, codec.to_json(owner))
        try:
            yield
        finally:
            _write(descriptor, b"")
    finally:
        os.close(descriptor)


def holder(path: Path) -> Owner | None:
    """Return who holds the lock at *path*, None if nobody does; of a process of another host nobody here can tell.

    The lock itself is not tried: for that moment, a daemon that starts would find it taken.
    """
    try:
        owner = codec.from_json(path.read_bytes(), Owner)
    except (FileNotFoundError, BadMessage):
        return None
    return owner if owner.host != socket.gethostname() or owner.is_alive_here() else None


def last_held(path: Path) -> Millis | None:
    """Return when the lock at *path* was last taken or let go of, None if it never was."""
    try:
        return Millis(path.stat().st_mtime_ns // 1_000_000)
    except FileNotFoundError:
        return None


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _try_lock(descriptor):
            raise DaemonRunning(_running(path, _read(descriptor)))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise
        message = "this file system has no locks: set IDLEQ_SERVER_DIR to a directory on another one"
        raise SchedulerError(message) from error
    return True


def _running(path: Path, owner: Owner | None) -> str:
    who = "a process" if owner is None else f"the daemon on {owner.host} (process {owner.pid})"
    return f"{who} serves {path.parent} already; stop it with `idleq daemon stop`, or set IDLEQ_SERVER_DIR to another place"


def _read(descriptor: int) -> Owner | None:
    try:
        return codec.from_json(os.pread(descriptor, 4096, 0), Owner)
    except BadMessage:
        return None


def _write(descriptor: int, record: bytes) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, record, 0)
    os.fsync(descriptor)
