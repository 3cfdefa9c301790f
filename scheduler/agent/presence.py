"""Who the agent of an allocation is (agent.json), and that there is one only: it holds agent.lock while it lives.

Where locks bind only the processes of one machine, agent.json has to do: one that was begun on another machine counts for good.
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from idleq.ids import NodeName
from idleq.processes import boot_id, read_process, started
from idleq.scheduler import codec
from idleq.scheduler.agent.errors import AgentRunning
from idleq.scheduler.atomic import write_atomically
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.paths import AllocationPaths

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""What file systems answer that have none."""

SETTLING_SECONDS = 1.0
"""Without locks, so long after it has written its name an agent looks whether another one has written over it. One that takes
longer than this from its look at the file to its own name in it is not seen: both go on then, and the later one ends the guests."""


@dataclass(frozen=True, slots=True)
class Presence:
    """A process that no later one is taken for: its number, when it started (clock ticks since boot), and which boot."""

    pid: int
    started: int
    boot: str
    node: NodeName


def _lock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _let_others_write() -> None:
    time.sleep(SETTLING_SECONDS)


def present(node: NodeName) -> Presence:
    """Return this very process."""
    me = read_process(os.getpid())
    assert me is not None
    return Presence(me.pid, me.started, boot_id(), node)


@contextmanager
def claimed(
    where: AllocationPaths,
    mine: Presence,
    lock: Callable[[int], None] = _lock,
    pause: Callable[[], None] = _let_others_write,
) -> Iterator[None]:
    """Be the agent of the allocation at *where*, which *mine* is written to, for as long as this lasts.

    Raises:
        AgentRunning: another one is, or may be: an allocation stays on its node, so one that was begun on another machine is a
            second job's.
    """
    descriptor = os.open(where.agent_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        is_locked = _is_locked(descriptor, lock, where.agent)
        _write(where.agent, mine)
        if not is_locked:
            pause()
            _check(where.agent, mine)
        yield
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int, lock: Callable[[int], None], path: Path) -> bool:
    """Take the lock, which the kernel lets go of when we die, however we die; False where there are no locks."""
    try:
        lock(descriptor)
    except BlockingIOError:
        other = _read(path)
        who = "it has only just begun" if other is None else f"process {other.pid} on {other.node}"
        raise AgentRunning(f"an agent of this allocation runs already ({who}); end it first") from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def _write(path: Path, mine: Presence) -> None:
    other = _read(path)
    if other is not None and other != mine and is_alive(other):
        raise AgentRunning(f"an agent of this allocation runs already (process {other.pid}); end it first")
    if other is not None and other.node != mine.node and other.boot != mine.boot:
        raise AgentRunning(f"an agent of this allocation was begun on {other.node}; this one, on {mine.node}, leaves")
    write_atomically(path, codec.to_json(mine))


def _check(path: Path, mine: Presence) -> None:
    """See that nobody has written over *mine*; of two that come at once without a lock, the last to write stays."""
    other = _read(path)
    if other is not None and other != mine:
        raise AgentRunning(f"an agent of this allocation began with this one (process {other.pid} on {other.node})")


def _read(path: Path) -> Presence | None:
    try:
        return codec.from_json(path.read_bytes(), Presence)
    except (FileNotFoundError, BadMessage):
        return None


def is_alive(other: Presence) -> bool:
    """Whether that process lives, on this machine since this boot; of others nobody here can say."""
    return other.boot == boot_id() and started(other.pid) == other.started
