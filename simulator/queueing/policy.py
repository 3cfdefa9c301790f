"""What a queueing policy is: a pure choice among the jobs that wait."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from idleq.simulator.jobs import MainJob

Slot = tuple[int, int, int]
"""A running job as a policy sees it: when it ends by its limit, its number in the order of starts, its size.

A plain tuple, so that a sorted list of them is kept by bisect at the speed of C.
"""


class Policy(Protocol):
    """Chooses which waiting jobs start now."""

    def __call__(self, waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
        """Return the places in *waiting* (first come first) of the jobs to start, ascending; *running* is sorted."""
        ...


class Semantics(StrEnum):
    """What one instant means, which is the whole difference between published numbers."""

    #: All that is submitted and all that ends in an instant is taken in, then one pass is made.
    PER_TIMESTAMP = "per-timestamp"
    #: A pass after each submission, then one after each end; a job whose limit ends now counts as gone.
    PER_EVENT = "per-event"
