"""Programs that help with guests (criu, podman), run beside them: nobody else waits for them or takes them for a guest's orphans."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import AnyStr

from idleq.processes import read_children, read_program

MONITOR = "conmon"
"""What podman leaves behind for each container, as an orphan: its parent and its exit code's keeper."""

START_PATIENCE = 0.25
"""A start takes some milliseconds; one that takes so many seconds hangs."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended: its exit code, or minus the signal that ended it, and what it printed."""

    code: int
    stdout: str
    stderr: str


@dataclass(slots=True)
class Errands:
    """The programs that this process runs beside its guests, from any thread.

    Attributes:
        adopted: processes that they have left behind on purpose; whoever ran them looks after them.
    """

    adopted: set[int] = field(default_factory=set)
    _running: set[int] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _starting: int = 0
    _engines: int = 0

    def run(self, argv: Sequence[str], *, seconds: float, environment: Mapping[str, str] | None = None) -> Done:
        """Run *argv* to its end; it is killed, with its session, after *seconds*.

        Raises:
            OSError: there is no such program.
        """

        def begin() -> "subprocess.Popen[str]":
            return subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=environment,
                start_new_session=True,
            )

        ran = self.begin(begin)
        try:
            stdout, stderr = ran.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(ran.pid, signal.SIGKILL)
            stdout, stderr = ran.communicate()
            stderr += f"\nkilled: it took longer than {seconds:g} s"
        finally:
            self.end([ran.pid])
        return Done(ran.returncode, stdout, stderr)

    def begin(self, start: Callable[[], subprocess.Popen[AnyStr]]) -> subprocess.Popen[AnyStr]:
        """Return what *start* has started; until `end` it is nobody else's."""
        with self._changed:
            self._starting += 1
        process: subprocess.Popen[AnyStr] | None = None
        try:
            process = start()  # on a file system that hangs that may take for ever: nobody else is to wait for it
            return process
        finally:
            with self._changed:
                self._starting -= 1
                if process is not None:
                    self._running.add(process.pid)
                self._changed.notify_all()

    def end(self, pids: Iterable[int]) -> None:
        """These are over, or somebody else's from now on."""
        with self._changed:
            self._running.difference_update(pids)

    @contextmanager
    def engine(self) -> Iterator[None]:
        """While this lasts, a monitor that turns up is the engine's."""
        with self._changed:
            self._engines += 1
        try:
            yield
        finally:
            with self._changed:
                self._engines -= 1

    def others(self) -> set[int]:
        """Return the children of this process that are none of these; none while a start hangs, whose child could be any of them."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._starting, START_PATIENCE):
                return set()
            found = read_children() - self._running - self.adopted
            return {pid for pid in found if read_program(pid) != MONITOR} if self._engines else found
