"""Processes as /proc shows them, and which of them belong to an allocation."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36
_ENDED = ("Z", "X")

SCRATCH_VARIABLE = "IDLEQ_SCRATCH"
"""Names an agent's scratch in its environment."""

MARKS = (
    SCRATCH_VARIABLE.encode(),
    b"TMPDIR",
    b"IDLEQ_CHECKPOINT_DIR",
    b"IDLEQ_OUTPUT_DIR",
    b"IDLEQ_CONTROL",
)
"""Variables of agents and guests whose values lie in the scratch of their allocation, and in no other's."""

PATIENCE_S = 2.0
"""So long is waited for killed processes to go; one that stays longer hangs in the kernel, and is counted as alive."""

PAUSE_S = 0.002
"""Between two looks at them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One line of the process table; *traces* are the paths by which it can be recognised."""

    pid: int
    parent: int
    session: int
    started: int
    traces: tuple[bytes, ...] = ()


def spawn(argv: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Start *argv* in a session of its own, with nothing to read, all that it prints in *log*; return its pid.

    Raises:
        OSError: it could not be started.
    """
    return os.posix_spawnp(
        argv[0],
        list(argv),
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGPIPE],
    )


def machine_boot() -> str:
    """Return what tells this run of the machine from every other."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def started(pid: int) -> int | None:
    """Return when *pid* started, in ticks since the boot; None if it lives no more."""
    process = _stat(pid)
    return None if process is None else process.started


def living() -> dict[int, Process]:
    """Return every living process, with traces where we may see them."""
    table: dict[int, Process] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (process := _stat(int(entry.name), with_traces=True)) is not None:
            table[process.pid] = process
    return table


def _stat(pid: int, *, with_traces: bool = False) -> Process | None:
    try:
        # The program's name, in parentheses, may hold anything, blanks and parentheses too.
        fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    if not fields or fields[0] in _ENDED:
        return None
    traces = _traces(pid) if with_traces else ()
    return Process(pid=pid, parent=int(fields[1]), session=int(fields[3]), started=int(fields[19]), traces=traces)


def _traces(pid: int) -> tuple[bytes, ...]:
    """Return the values of our own variables only: PWD would make a person's shell one of ours."""
    with contextlib.suppress(OSError):
        environment = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        pairs = (entry.partition(b"=") for entry in environment)
        return tuple(value for name, _, value in pairs if name in MARKS)
    return ()


def members(
    table: Mapping[int, Process], agent: int | None, scratch: Path, own: int, other_agents: Collection[int]
) -> set[int]:
    """Return which of *table* belong to the allocation of *agent* (None: it is gone) with its *scratch*.

    Those below the agent, in its session, or with a trace of its scratch; and once the agent is gone, orphans that came to
    us (*own*): a living agent adopts the orphans of its own guests, so they can only be of one that is gone.
    """
    folder = os.fsencode(scratch)
    found = {
        process.pid
        for process in table.values()
        if any(trace == folder or trace.startswith(folder + b"/") for trace in process.traces)
    }
    if agent is not None:
        found |= {process.pid for process in table.values() if process.session == agent}
    if agent is not None and agent in table:
        found.add(agent)
    else:
        found |= {process.pid for process in table.values() if process.parent == own}
    spared = {own, *other_agents} - {agent}
    return _with_descendants(table, found - spared, spared)


def _with_descendants(table: Mapping[int, Process], roots: Iterable[int], spared: Collection[int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    ahead = list(roots)
    while ahead:
        pid = ahead.pop()
        if pid not in found and pid not in spared:
            found.add(pid)
            ahead += children.get(pid, [])
    return found


def end_all(agent: int | None, scratch: Path, other_agents: Collection[int], reap: Callable[[], object]) -> int:
    """Kill all that belongs to an allocation and wait until it is gone; return how many are still there.

    Processes that are born while this looks are found in the next round. *reap* takes leave of our own children.
    """
    give_up = time.monotonic() + PATIENCE_S
    while True:
        found = members(living(), agent, scratch, os.getpid(), other_agents)
        if not found or time.monotonic() > give_up:
            return len(found)
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE_S)
        reap()


def adopt_orphans() -> None:
    """Make every process below this one that loses its parent a child of this one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"orphans cannot be adopted: {os.strerror(error)}")


def reap() -> dict[int, int]:
    """Take leave of children that have ended: pid and exit code, or minus the number of the signal that ended it."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended
