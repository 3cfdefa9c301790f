"""When each agent was last heard, and whose silence has lasted so long that it has stopped its guests."""

import threading
from collections.abc import Iterable

from idleq.ids import AllocationId, Millis
from idleq.scheduler.ports import Clock


class Leases:
    """The allocations that are not over, each with the end of its agent's lease.

    The agent counts from when it *sent* the last message that was answered, we from when that message came, which is
    later; so by our end of a lease its own has passed. *margin_ms* is what it then needs to stop its guests. The clock
    must be a steady one: a stepped wall clock ends no lease.
    """

    def __init__(self, clock: Clock, lease_ms: Millis, margin_ms: Millis) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._length, self._margin_ms = lease_ms + margin_ms, margin_ms
        self._ends: dict[AllocationId, Millis | None] = {}
        self._ending: set[AllocationId] = set()
        self.lease_ms = lease_ms

    def add(self, allocation: AllocationId) -> None:
        """Know *allocation*; its agent has no lease before it has started."""
        with self._lock:
            self._ends.setdefault(allocation, None)

    def renew(self, allocation: AllocationId) -> None:
        """Give the agent of *allocation* a whole lease from now on, if the allocation is one of ours and its lease may go on."""
        with self._lock:
            if allocation in self._ends and allocation not in self._ending:
                self._ends[allocation] = Millis(self._clock.now() + self._length)

    def let_end(self, allocation: AllocationId) -> None:
        """Renew the lease of the agent of *allocation* no more: it hosts guests up to the end that it knows of, and no longer."""
        with self._lock:
            self._ending.add(allocation)

    def left_ms(self, allocation: AllocationId) -> Millis:
        """Return how long the agent of *allocation* may go on from now on."""
        with self._lock:
            if allocation not in self._ending:
                return self.lease_ms
            end = self._ends.get(allocation)
            return Millis(0 if end is None else max(0, end - self._margin_ms - self._clock.now()))

    def remove(self, allocation: AllocationId) -> None:
        """*allocation* is over."""
        with self._lock:
            self._ends.pop(allocation, None)
            self._ending.discard(allocation)

    def replace(self, started: Iterable[AllocationId], queued: Iterable[AllocationId]) -> None:
        """After a restart: these are all, and each started one gets a whole lease, whenever it was heard last."""
        end = Millis(self._clock.now() + self._length)
        with self._lock:
            self._ends = dict.fromkeys(queued) | dict.fromkeys(started, end)
            self._ending.clear()

    def __contains__(self, allocation: object) -> bool:
        with self._lock:
            return allocation in self._ends

    def known(self) -> tuple[AllocationId, ...]:
        """Return all that are not over."""
        with self._lock:
            return tuple(self._ends)

    def take_expired(self) -> tuple[AllocationId, ...]:
        """Return those whose lease has run out, each once until it is heard again."""
        now = self._clock.now()
        with self._lock:
            expired = tuple(name for name, end in self._ends.items() if end is not None and end <= now)
            self._ends.update(dict.fromkeys(expired))
        return expired

    def next_end_in(self) -> Millis | None:
        """Return how long it is until the next lease runs out; None if no lease runs."""
        with self._lock:
            ends = [end for end in self._ends.values() if end is not None]
        return Millis(max(0, min(ends) - self._clock.now())) if ends else None
