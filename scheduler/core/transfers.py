"""When the guests of each node write to the file system that all share: as late as is safe, and never more nodes at once than it bears."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from msgspec import Struct

from idleq.ids import AllocationId, Millis


class Transfer(Struct, frozen=True, gc=False):
    """The stretch in which the guests of one allocation write, one after the other.

    Attributes:
        since: when the first of them is asked to freeze.
        until: when the last of them has written.
        due: when that has to be; *until* is earlier where others have what comes after it.
        ends_at: when the allocation ends, for which it was planned.
    """

    since: Millis
    until: Millis
    due: Millis
    ends_at: Millis


class Wish(Struct, frozen=True, gc=False):
    """What an allocation needs to freeze all of its guests at a known end.

    Attributes:
        allocation: which.
        ends_at: when it ends.
        due: when all has to be written.
        length_ms: how long that takes.
    """

    allocation: AllocationId
    ends_at: Millis
    due: Millis
    length_ms: Millis


@dataclass(slots=True)
class Transfers:
    """How many nodes write at each moment, as planned: *counts[i]* do from *times[i]* until the next of *times*, none before the first."""

    times: list[Millis] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def copy(self) -> Self:
        """Return the same, to try things on."""
        return type(self)(self.times.copy(), self.counts.copy())

    def add(self, transfer: Transfer) -> None:
        """One more writes meanwhile."""
        self._count(transfer, 1)

    def remove(self, transfer: Transfer) -> None:
        """One less writes meanwhile: *transfer* was added before."""
        self._count(transfer, -1)

    def latest(self, due: Millis, length_ms: Millis, writers: int) -> Millis:
        """Return when the latest stretch so long is over, at *due* or before, beside which always fewer than *writers* write."""
        times, counts = self.times, self.counts
        until = due
        for step in range(bisect_left(times, due) - 1, -1, -1):
            if counts[step] >= writers:
                until = times[step]
            elif until - times[step] >= length_ms:
                break
        return until

    def _count(self, transfer: Transfer, more: int) -> None:
        first, end = self._cut(transfer.since), self._cut(transfer.until)
        for step in range(first, end):
            self.counts[step] += more
        self._join(end)
        self._join(first)

    def _cut(self, at: Millis) -> int:
        """Return the step that begins at *at*, made if there is none."""
        step = bisect_left(self.times, at)
        if step == len(self.times) or self.times[step] != at:
            self.times.insert(step, at)
            self.counts.insert(step, self._before(step))
        return step

    def _join(self, step: int) -> None:
        """Make one of *step* and the one before if as many write in both."""
        if self.counts[step] == self._before(step):
            del self.times[step], self.counts[step]

    def _before(self, step: int) -> int:
        return self.counts[step - 1] if step else 0


def place(planned: Transfers, wishes: Iterable[Wish], writers: int, now: Millis) -> dict[AllocationId, Transfer | None]:
    """Give each of *wishes* the latest stretch in which no more than *writers* write, and add it to what is *planned*.

    What is planned keeps its place. Of those that come together whoever is due last is placed first, as it can use what is of no use to
    the others, and of those due at once whoever has written soonest: so the least is lost to waiting, as in `freeze.pack_backwards`.
    None is for those who would have to begin before *now*: they are not staggered.
    """
    placed: dict[AllocationId, Transfer | None] = {}
    for wish in sorted(wishes, key=lambda one: (-one.due, one.length_ms, len(one.allocation), one.allocation)):
        until = planned.latest(wish.due, wish.length_ms, writers)
        transfer = Transfer(Millis(until - wish.length_ms), until, wish.due, wish.ends_at)
        if transfer.since < now:
            placed[wish.allocation] = None
        else:
            placed[wish.allocation] = transfer
            planned.add(transfer)
    return placed
