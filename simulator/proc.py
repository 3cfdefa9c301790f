"""Starts and ends agents, and finds the processes that belong to an allocation."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from idleq.processes import read_processes, read_variables

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
class Traced:
    """A living process; *traces* are the paths by which it can be recognised."""

    pid: int
    parent: int
    session: int
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


def living() -> dict[int, Traced]:
    """Return every living process, with traces where we may see them."""
    return {
        pid: Traced(pid=pid, parent=process.parent, session=process.session, traces=_traces(pid))
        for pid, process in read_processes().items()
        if not process.is_zombie
    }


def _traces(pid: int) -> tuple[bytes, ...]:
    """Return the values of our own variables only: PWD would make a person's shell one of ours."""
    return tuple(value for name, value in read_variables(pid) if name in MARKS)


def members(
    table: Mapping[int, Traced], agent: int | None, scratch: Path, own: int, other_agents: Collection[int]
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


def _with_descendants(table: Mapping[int, Traced], roots: Iterable[int], spared: Collection[int]) -> set[int]:
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
