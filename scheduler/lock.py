"""One daemon per server directory: the lock, and who holds it.

The kernel lets go of the lock when its holder dies, however it dies. On some shared file systems it binds only the
processes of one host, on others it outlives a host that hangs. So the holder also writes down who it is, with a pulse: a record that
another host has left counts as long as its pulse beats, and is replaced when it has not for a patience. Who was replaced learns it
at its next beat; what it writes until then the journal refuses (store/epochs).
"""

import errno
import fcntl
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from idleq.ids import Millis
from idleq.processes import boot_id, started
from idleq.scheduler import codec
from idleq.scheduler.errors import BadMessage, DaemonRunning, SchedulerError, Superseded

PATIENCE_MS = Millis(30_000)
"""A shared file system may hang for some seconds; agents go on for minutes without a daemon."""

LOOKS = 30
"""So often is the pulse of another host looked for within a patience; it beats five times as rarely."""

LENGTH = 512
"""Records are written in one piece over the one before: nobody reads half of one, or an empty file where there is a holder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that nobody takes for another one: pids come round again, start times do not.

    Attributes:
        pid: its number.
        host: where it runs.
        boot: the boot of that host.
        started: its start, in the kernel's ticks since the boot.
        beat: counts up while it lives.
    """

    pid: int
    host: str
    boot: str
    started: int
    beat: int = field(default=0, compare=False)

    @classmethod
    def this_process(cls) -> "Owner":
        """Return who we are."""
        return cls(pid=os.getpid(), host=socket.gethostname(), boot=boot_id(), started=started(os.getpid()) or 0)

    def is_alive_here(self) -> bool:
        """Whether it is a process of this host and still runs."""
        return self.host == socket.gethostname() and self.boot == boot_id() and started(self.pid) == self.started


class Pulse:
    """Beats in a thread of its own as long as the lock is held, and learns whether it has been taken over."""

    def __init__(self, path: Path, descriptor: int, owner: Owner, every_ms: float) -> None:
        self._path, self._descriptor, self._owner, self._every_ms = path, descriptor, owner, every_ms
        self._on_lost: Callable[[], None] = lambda: None
        self._is_over, self._is_lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    @property
    def is_lost(self) -> bool:
        """Whether somebody else holds the lock now."""
        return self._is_lost.is_set()

    def tell(self, on_lost: Callable[[], None]) -> None:
        """Have *on_lost* called, in another thread, when somebody else has taken the lock over."""
        self._on_lost = on_lost
        if self.is_lost:
            on_lost()

    def check(self) -> None:
        """Raise Superseded if somebody else holds the lock now; asked before what cannot be taken back is done outside the journal."""
        with suppress(OSError):
            found = _read_file(self._path)
            if found is not None and found != self._owner:
                raise Superseded(f"a daemon on {found.host} has taken {self._path.parent} over: this one stops")

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(self._every_ms / 1000):
            with suppress(OSError):  # the file system is away: nobody else sees more of it
                try:
                    self.check()
                except Superseded:
                    self._is_lost.set()
                    self._on_lost()
                    return
                self._owner = replace(self._owner, beat=self._owner.beat + 1)
                _write(self._descriptor, self._owner)


@contextmanager
def hold(path: Path, owner: Owner, *, patience_ms: Millis = PATIENCE_MS) -> Iterator[Pulse]:
    """Hold the lock at *path* as *owner*, also where a process of another host has, but has given no sign of life for *patience_ms*.

    Raises:
        DaemonRunning: somebody else holds it; nothing was changed.
    """
    descriptor = _take(path, owner, patience_ms)
    pulse = Pulse(path, descriptor, owner, 5 * patience_ms / LOOKS)
    try:
        _write(descriptor, owner)
        pulse.start()
        try:
            yield pulse
        finally:
            pulse.stop()
            with suppress(OSError):  # a file that was replaced long ago may be gone altogether
                _clear(descriptor)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Owner | None:
    """Return who holds the lock at *path*, None if nobody does; of a process of another host nobody here can tell.

    The lock itself is not tried: for that moment, a daemon that starts would find it taken.
    """
    owner = _read_file(path)
    return owner if owner is None or owner.host != socket.gethostname() or owner.is_alive_here() else None


def last_held(path: Path) -> Millis | None:
    """Return when the lock at *path* was last taken or let go of, None if it never was."""
    try:
        return Millis(path.stat().st_mtime_ns // 1_000_000)
    except FileNotFoundError:
        return None


def _take(path: Path, owner: Owner, patience_ms: Millis) -> int:
    """Return the lock's file, which is ours then."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        is_locked, last = _try_lock(descriptor), _read(descriptor)
        is_of_another_host = last is not None and last.host != owner.host
        if is_locked and not is_of_another_host:
            return descriptor
        if last is None or not is_of_another_host or not _is_silent(path, last, patience_ms):
            raise DaemonRunning(_running(path, last))
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return _replaced(path, owner, last, patience_ms)


def _is_silent(path: Path, last: Owner, patience_ms: Millis) -> bool:
    """Whether *last* gives no sign of life for *patience_ms*, or lets go."""
    pause = threading.Event()
    for _ in range(LOOKS):
        found = _read_file(path)
        if found is None:
            return True
        if found != last or found.beat != last.beat:
            return False
        pause.wait(patience_ms / LOOKS / 1000)
    return True


def _replaced(path: Path, owner: Owner, last: Owner, patience_ms: Millis) -> int:
    """Put a file of ours, locked, in the place of that of *last*; whoever wakes up with the old one sees that it is not that any more."""
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        _try_lock(descriptor)  # nobody else has this file; where locks bind nobody, the record in it has to do
        _write(descriptor, owner)
        found = _read_file(path)
        if found is not None and (found != last or found.beat != last.beat):
            raise DaemonRunning(_running(path, found))
        Path(beside).replace(path)
        threading.Event().wait(
            patience_ms / LOOKS / 1000
        )  # of two that come at once, the second one's file is there by now
        if (winner := _read_file(path)) != owner:
            raise DaemonRunning(_running(path, winner))
    except BaseException:
        Path(beside).unlink(missing_ok=True)
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
    where = " there" if owner is not None and owner.host != socket.gethostname() else ""
    return f"{who} serves {path.parent} already; stop it{where} with `idleq daemon stop`, or set IDLEQ_SERVER_DIR to another place"


def _read(descriptor: int) -> Owner | None:
    try:
        return codec.from_json(os.pread(descriptor, 4096, 0), Owner)
    except BadMessage:
        return None


def _read_file(path: Path) -> Owner | None:
    """Return who the file says holds it, None if nobody or if there is none; opened anew, since only then shared file systems look."""
    try:
        return codec.from_json(path.read_bytes(), Owner)
    except (FileNotFoundError, BadMessage):
        return None


def _write(descriptor: int, owner: Owner) -> None:
    os.pwrite(descriptor, codec.to_json(owner).ljust(LENGTH), 0)
    os.fsync(descriptor)


def _clear(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.fsync(descriptor)
