"""The thread that hears agents who speak by files while the site's scheduler keeps the poller waiting.

A controller that hangs lets every question wait for a minute, and the poller asks and waits in turn. Agents that heard nobody for so
long would save and leave, and the daemon would take them for dead.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from structlog.typing import FilteringBoundLogger

from idleq.ids import Millis
from idleq.scheduler.core.inputs import Input
from idleq.scheduler.errors import DaemonAway, JournalUnavailable
from idleq.scheduler.faults import TRIES
from idleq.scheduler.intake import Intake
from idleq.scheduler.mailbox import Decisions
from idleq.scheduler.rounds import SpoolRounds

LONGEST_PAUSE_MS = Millis(10_000)
PARTS_OF_A_LEASE = 8
"""Between two rounds passes no more than such a part: agents freeze in the last quarter of a lease."""


class Listener:
    """Takes rounds of its own, each when the poller takes none."""

    def __init__(
        self,
        *,
        rounds: SpoolRounds,
        intake: Intake,
        ask: "Callable[[Sequence[Input]], Future[Decisions]]",
        log: FilteringBoundLogger,
        lease_ms: Millis,
    ) -> None:
        self._rounds, self._intake, self._ask, self._log = rounds, intake, ask, log
        self._pause_ms = min(LONGEST_PAUSE_MS, lease_ms // PARTS_OF_A_LEASE)
        self._faults = 0
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._is_stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopping.wait(self._pause_ms / 1000):
            try:
                self.round()
            except Exception:  # noqa: BLE001 - this thread must not end silently; it is logged
                self._log.exception("listener.round_failed")

    def round(self) -> None:
        """Hear the agents, tell what they say, and answer them."""
        with self._rounds.turn:
            readings = self._rounds.hear()
            is_taken = self._tell([said for reading in readings for said in reading.inputs])
            for reading in readings:
                self._intake.settle_reading(reading, taken=is_taken)
            self._rounds.answer()

    def _tell(self, inputs: Sequence[Input]) -> bool:
        """Return whether the engine has taken *inputs*, or fails on them again and again: then they are not told for ever."""
        if not inputs:
            return True
        try:
            self._ask(inputs).result()
        except (JournalUnavailable, DaemonAway):
            return False
        except Exception:  # noqa: BLE001 - the engine has a fault with one of these; it is logged
            self._faults += 1
            self._log.exception("listener.inputs_failed", tries=self._faults)
            return self._faults > TRIES
        self._faults = 0
        return True
