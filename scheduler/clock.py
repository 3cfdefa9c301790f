"""The real clocks. Nothing else in idleq reads the time."""

import threading
import time

from idleq.ids import Millis

NANOS_PER_MILLI = 1_000_000


class SystemClock:
    """The wall clock, made to go forwards only.

    When the wall is stepped back, time goes on from where it was at the pace of the monotonic clock, until the wall has
    caught up; a step forwards is followed at once. *floor* is a time that has been (the journal's last, say): a clock
    stepped back while no daemon ran must not take engine time back either.
    """

    def __init__(self, floor: Millis = Millis(0)) -> None:
        self._lock = threading.Lock()
        self._last = int(floor)
        self._last_steady = steady_millis()

    def now(self) -> Millis:
        """Return milliseconds since the Unix epoch, never less than the time before."""
        with self._lock:
            wall, steady = time.time_ns() // NANOS_PER_MILLI, steady_millis()
            if wall < self._last:
                wall = self._last + steady - self._last_steady
            self._last, self._last_steady = wall, steady
            return Millis(wall)


class SteadyClock:
    """Measures durations: what it tells has no date, no step of the wall clock moves it."""

    def now(self) -> Millis:
        """Return milliseconds since some instant in the past."""
        return Millis(steady_millis())


def steady_millis() -> int:
    """Return the monotonic clock's whole milliseconds."""
    return time.monotonic_ns() // NANOS_PER_MILLI
