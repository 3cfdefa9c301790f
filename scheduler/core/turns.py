"""Who is looked at in one turn where there are more than it has time for: others each time."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from idleq.ids import Millis

T = TypeVar("T")

GOLDEN = 2654435769
"""2**32 over the golden ratio: steps of it, whatever their stride, soon come near every point of a circle (Knuth, TAOCP 3, 6.4)."""


def in_turn(those: Sequence[T], now: Millis, *, after: int, most: int) -> Iterator[T]:
    """Yield, in their order, at most so many of *those* that come *after* the first; the time decides which.

    Nothing is remembered from turn to turn, so a restart loses nothing; and no rhythm of turns misses anybody for ever.
    """
    rest = len(those) - after
    if rest <= 0:
        return
    begin = after + ((now * GOLDEN % (1 << 32)) * rest >> 32)
    beyond = max(begin + most - len(those), 0)
    yield from those[after : min(after + beyond, begin)]
    yield from those[begin : begin + most]
