"""The daemon's half of the embedded cluster: the Cluster port over a socket to a process of its own."""

import os
import signal
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from idleq.ids import AllocationId
from idleq.scheduler.core.commands import ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import CommandFailed, Input, Reconciled
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.paths import ServerPaths
from idleq.simulator.errors import ClusterAway
from idleq.simulator.host import has_begun
from idleq.simulator.proc import spawn
from idleq.simulator.wire import Answer, Call, News, Poll, Refusal, Stop, exchange, process_at, unpacked_input

ANSWER_TIMEOUT_S = 15.0
"""Ending many allocations at once may keep the cluster's process busy for seconds."""

START_TIMEOUT_S = 20.0
"""From the start of the cluster's process to its first answer, on a machine that is busy with other things."""

PAUSE_S = 0.02
"""Between two tries to reach a process that is starting."""


class EmbeddedCluster:
    """Asks the cluster's process, and starts it where there is none."""

    def __init__(self, server_dir: Path, start_argv: Sequence[str]) -> None:
        """*start_argv* starts the cluster's process of *server_dir*."""
        self._paths = ServerPaths(server_dir).cluster
        self._start_argv = tuple(start_argv)
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._code: int | None = None
        self._failures: list[Input] = []
        self._life = ""
        self._taken = 0
        self._is_first = True

    def request(self, command: RequestAllocation) -> None:
        """Ask for an allocation; a refusal comes with the next poll."""
        self._ask(command)

    def release(self, command: ReleaseAllocation) -> None:
        """Give one back; a failure comes with the next poll."""
        self._ask(command)

    def poll(self, known: Collection[AllocationId] = ()) -> Iterable[Input]:  # noqa: ARG002 - its process forgets none
        """Return what has changed since the last poll; the first begins with Reconciled and tells everything.

        Raises:
            ClusterAway: the cluster's process cannot be reached or started.
        """
        with self._lock:
            news = self._reach(Poll(life=self._life, taken=self._taken))
            if not isinstance(news, News):
                raise ClusterAway(f"the cluster's process did not tell its news but {news}")
            inputs: list[Input] = [unpacked_input(kind, body) for kind, body in news.inputs]
            opening: list[Input] = [Reconciled(allocations=news.allocations)] if self._is_first else []
            failures, self._failures = self._failures, []
            self._life, self._taken, self._is_first = news.life, news.last, False
            return opening + failures + inputs

    def process(self) -> int | None:
        """Return the cluster's process, None if there is none; none is started."""
        return process_at(self._paths.socket)

    def stop(self) -> bool:
        """End the cluster's process with all that runs in it; return whether there was anything to end.

        Where the process was killed its agents live on: then another is started, which finds them and ends them.

        Raises:
            BadRecords: it has been killed, and what it wrote down cannot be read.
            ClusterAway: the process does not answer, or cannot be started.
        """
        with self._lock:
            try:
                exchange(self._paths.socket, Stop(), ANSWER_TIMEOUT_S)
            except (FileNotFoundError, ConnectionRefusedError):
                if not has_begun(self._paths):
                    return False
                self._start()
                self._await_answer(Stop())
            except (ConnectionError, BadMessage):
                # It ends already.
                pass
            except OSError as error:
                raise self._silent(error) from error
            self._await_end()
            if self._paths.socket.exists() or self._lives():
                raise ClusterAway(f"the cluster's process was told to end and has not; {self._advice()}")
            return True

    def _ask(self, command: RequestAllocation | ReleaseAllocation) -> None:
        with self._lock:
            try:
                answer = self._reach(command)
            except ClusterAway as error:
                answer = Refusal(reason=str(error), transient=True)
            if isinstance(answer, Refusal):
                self._failures.append(
                    CommandFailed(command=command.id, reason=answer.reason, transient=answer.transient)
                )

    def _reach(self, call: Call) -> Answer:
        """Return the cluster's answer to *call*; start its process if nobody listens."""
        try:
            return exchange(self._paths.socket, call, ANSWER_TIMEOUT_S)
        except (FileNotFoundError, ConnectionError):
            self._start()
            return self._await_answer(call)
        except (OSError, BadMessage) as error:
            raise self._silent(error) from error

    def _start(self) -> None:
        if self._lives():
            return
        try:
            self._pid = spawn(self._start_argv, os.environ, self._paths.log)
        except OSError as error:
            raise ClusterAway(f"the cluster's process cannot be started: {error}") from error

    def _await_answer(self, call: Call) -> Answer:
        give_up = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                return exchange(self._paths.socket, call, ANSWER_TIMEOUT_S)
            except (OSError, BadMessage) as error:
                code = self._exit_code()
                if code == -signal.SIGKILL and time.monotonic() < give_up:
                    # It had hung up, but was not dead yet, when we looked whether it lives.
                    self._start()
                elif code is not None or time.monotonic() > give_up:
                    ended = "" if code is None else f" (it ended with exit code {code})"
                    raise ClusterAway(f"the cluster's process does not answer{ended}; {self._advice()}") from error
            time.sleep(PAUSE_S)

    def _await_end(self) -> None:
        give_up = time.monotonic() + ANSWER_TIMEOUT_S
        while (self._paths.socket.exists() or self._lives()) and time.monotonic() < give_up:
            time.sleep(PAUSE_S)

    def _lives(self) -> bool:
        return self._pid is not None and self._exit_code() is None

    def _exit_code(self) -> int | None:
        """Return how the process that we have started has ended, None if it has not."""
        if self._pid is not None:
            try:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
            except ChildProcessError:
                # Somebody else in this process has taken leave of it.
                pid, status = self._pid, 0
            if pid == 0:
                return None
            self._pid, self._code = None, os.waitstatus_to_exitcode(status)
        return self._code

    def _silent(self, error: Exception) -> ClusterAway:
        return ClusterAway(f"the cluster's process does not answer: {error}; {self._advice()}")

    def _advice(self) -> str:
        return f"see {self._paths.log}"
