"""Podman's monitors: each is the parent of a container's first process, and keeps its exit code.

As its own parent leaves, a monitor becomes a child of whoever adopts orphans here, which is this process: so its end is seen
without asking podman. Of one that is killed podman knows nothing, and what it held comes to us too.
"""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from idleq.migration.descent import owners
from idleq.migration.errands import MONITOR, Errands
from idleq.migration.podmancli import Files
from idleq.processes import read_processes, read_program, started


@dataclass(frozen=True, slots=True)
class Monitor:
    """The monitor *pid* of a container whose first process is *first*; nobody but us takes it for an orphan of theirs."""

    pid: int
    first: int
    errands: Errands

    @classmethod
    def adopted(cls, files: Files, errands: Errands) -> "Monitor":
        """Return the one that podman has left behind, by the numbers that it has written to *files*."""
        monitor = cls(_number_in(files.monitor), _number_in(files.pid), errands)
        errands.adopted.add(monitor.pid)
        return monitor

    def is_over(self) -> bool:
        """Whether it has ended, and its container with it."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return started(self.pid) is None

    def reap(self) -> None:
        """Wait for its end, and give its number back."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.errands.adopted.discard(self.pid)

    def signal(self, number: int) -> None:
        """Send a signal to the container's first process; one that has ended takes none."""
        _signal(self.first, number)

    def end_orphan(self) -> None:
        """End the container's first process if it came to us, as this was killed: podman waits in vain for one that nobody reaps."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.waitid(os.P_PID, self.first, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # is it our child?
            os.kill(self.first, signal.SIGKILL)
            os.waitpid(self.first, 0)


def end_half_begun(files: Files) -> None:
    """End the monitor of a container that did not start, and what it holds: podman forgets them, and each may wait for the other."""
    try:
        monitor = _number_in(files.monitor)
    except (OSError, ValueError):
        return  # it had not begun
    if read_program(monitor) != MONITOR:
        return
    for pid in owners(read_processes(), {monitor: MONITOR}):
        _signal(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(monitor, 0)  # podman would wait for one that is not reaped


def _number_in(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
