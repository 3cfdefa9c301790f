"""A file system's bandwidth, shared equally by all that write to it at once."""

from collections.abc import Callable
from dataclasses import dataclass

from simpy import Environment
from simpy.events import Event

from idleq.ids import Millis
from idleq.simulator.kernel import END, Moment


@dataclass(slots=True, eq=False)
class _Transfer:
    """What is still to be written, in byte-milliseconds per second so that nothing is rounded, and what to do then."""

    left: int
    done: Callable[[], None]


class Pipe:
    """Carries *bandwidth* bytes a second in all; each transfer gets an equal part of it as long as it lasts."""

    def __init__(self, env: Environment, bandwidth: int) -> None:
        self._env, self._bandwidth = env, bandwidth
        self._transfers: list[_Transfer] = []
        self._since = Millis(0)
        self._plans = 0

    def carry(self, size: int, done: Callable[[], None]) -> None:
        """Call *done* when *size* bytes have gone through."""
        self._advance()
        self._transfers.append(_Transfer(size * 1000, done))
        self._plan()

    def _advance(self) -> None:
        """Take note of what has gone through since it was last looked at."""
        now = Millis(int(self._env.now))
        if self._transfers:
            through = (now - self._since) * self._bandwidth // len(self._transfers)
            for transfer in self._transfers:
                transfer.left -= through
        self._since = now

    def _plan(self) -> None:
        self._plans += 1
        planned = self._plans
        if self._transfers:
            least = max(0, min(transfer.left for transfer in self._transfers))
            wait = -(-least * len(self._transfers) // self._bandwidth)
            Moment(self._env, wait, END, lambda event: self._arrive(event, planned))

    def _arrive(self, _: Event, planned: int) -> None:
        if planned != self._plans:
            return
        self._advance()
        over = [transfer for transfer in self._transfers if transfer.left <= 0]
        self._transfers = [transfer for transfer in self._transfers if transfer.left > 0]
        self._plan()
        for transfer in over:
            transfer.done()
