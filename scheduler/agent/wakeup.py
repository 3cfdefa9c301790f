"""Lets the loop sleep until something happens: a signal, a guest's end, news from a thread, or the time.

A signal handler may run between any two bytecodes, so it only leaves a mark; the pipe wakes the sleeper, and a wake-up
that comes just before it falls asleep is not lost.
"""

import os
import select
import signal
from types import FrameType
from typing import Any, Self

from idleq.ids import Millis

NOTICES = (signal.SIGTERM, signal.SIGINT)


class Wakeup:
    """Catches SIGTERM, SIGINT and SIGCHLD while it is entered; the handlers that were there are put back."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._previous: dict[signal.Signals, Any] = {}
        self._previous_writer = -1
        self._poll = select.poll()
        self._poll.register(self._reader, select.POLLIN)
        self.has_notice = False
        self._has_child = False

    def __enter__(self) -> Self:
        self._previous_writer = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (*NOTICES, signal.SIGCHLD):
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_writer)
        os.close(self._reader)
        os.close(self._writer)

    def wake(self) -> None:
        """Let `sleep` return; may be called from any thread."""
        try:
            os.write(self._writer, b"\0")
        except (BlockingIOError, OSError):
            # Full: it wakes anyway. Closed: nobody sleeps any more.
            return

    def sleep(self, timeout_ms: Millis) -> None:
        """Wait until woken, at most *timeout_ms*."""
        if self._poll.poll(max(timeout_ms, 0)):
            os.read(self._reader, 65_536)

    def take_child(self) -> bool:
        """Whether a child process has ended since the last call."""
        had, self._has_child = self._has_child, False
        return had

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number in NOTICES:
            self.has_notice = True
        else:
            self._has_child = True
