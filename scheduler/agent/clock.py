"""The agent's clock: the wall's time at the agent's start, and from there the steady clock.

An allocation lasts hours; a wall clock that is stepped in the meantime must neither end a lease nor miss a freeze.
"""

from idleq.ids import Millis
from idleq.scheduler.clock import SystemClock, steady_millis


class AgentClock:
    """Implements the port Clock."""

    def __init__(self) -> None:
        self._offset = SystemClock().now() - steady_millis()

    def now(self) -> Millis:
        """Return milliseconds since the Unix epoch as the wall told them at the start."""
        return Millis(self._offset + steady_millis())
