"""Wakes requests that wait for something, without their asking again and again."""

import asyncio
from collections.abc import Iterable


class Bell:
    """Belongs to one event loop; any thread may ring."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self.is_closed = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on requests are served in *loop*."""
        self._loop = loop

    def ring(self, topics: Iterable[str]) -> None:
        """Wake all who wait for one of *topics*."""
        rung = tuple(topics)
        if rung and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, rung)

    def close(self) -> None:
        """Wake everybody, and let nobody wait any more: the daemon stops. To be called in the loop."""
        self.is_closed = True
        self._wake(tuple(self._waiting))

    async def wait(self, topics: Iterable[str], timeout_ms: int) -> bool:
        """Return whether one of *topics* was rung before the time was up.

        Look first, then wait: a ring that comes in between is not missed, since it is heard in this very loop.
        """
        if self.is_closed or timeout_ms <= 0:
            return False
        mine, topics = asyncio.get_running_loop().create_future(), tuple(topics)
        for topic in topics:
            self._waiting.setdefault(topic, set()).add(mine)
        try:
            await asyncio.wait((mine,), timeout=timeout_ms / 1000)
            return mine.done()
        finally:
            for topic in topics:
                self._leave(topic, mine)

    def _wake(self, topics: tuple[str, ...]) -> None:
        for topic in topics:
            for waiting in self._waiting.get(topic, ()):
                if not waiting.done():
                    waiting.set_result(None)

    def _leave(self, topic: str, mine: "asyncio.Future[None]") -> None:
        waiting = self._waiting[topic]
        waiting.discard(mine)
        if not waiting:
            del self._waiting[topic]
