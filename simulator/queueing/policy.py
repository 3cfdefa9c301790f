"""What a queueing policy is: a pure choice among the jobs that wait."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from idleq.simulator.jobs import MainJob
from idleq.simulator.placement import Parts, Placement, place

Slot = tuple[int, int, int]
"""A running job as a policy sees it: when it ends by its limit, its number in the order of starts, its size.

A plain tuple, so that a sorted list of them is kept by bisect at the speed of C.
"""


DEPTHS = {"fcfs": 0, "easy": 1, "easy-sjbf": 1, "conservative": None}
"""How many jobs that do not fit get a reservation at each pass; None: all of them."""


class Policy(Protocol):
    """Chooses which waiting jobs start now."""

    def __call__(self, waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
        """Return the places in *waiting* (first come first) of the jobs to start, in the order in which they start.

        *running* is sorted.
        """
        ...


class Attentive:
    """A policy with a memory: it hears of all that happens, and may ask for passes of its own.

    What it chooses follows from what it was told and asked, and from nothing else. One of them serves one queue.
    """

    @abstractmethod
    def __call__(self, waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
        """Choose as `Policy` says; asked after every arrival, whether it fits or not."""

    def started(self, job: MainJob, now: int) -> None:
        """Take note that *job* holds processors from *now* on."""

    def kept_back(self, job: MainJob) -> None:
        """Take note that *job*, which has started, holds its processors but has to wait for guests there."""

    def begun(self, job: MainJob, now: int) -> None:
        """Take note that *job*, which was kept back, runs from *now* on."""

    def ended(self, job: MainJob, now: int) -> None:
        """Take note that *job* has given back its processors."""

    def wake_at(self) -> int | None:
        """Return when it wants a pass even if nothing happens; asked after each pass."""
        return None


class Choosing(Attentive):
    """A policy that chooses the nodes too, since what a job runs on decides who else can start."""

    @abstractmethod
    def chosen(self, job: MainJob) -> Parts:
        """Return what *job*, which is about to start or runs, has of which node."""


def chooser(policy: Policy, free: Callable[[], Sequence[int]], placement: Placement) -> Callable[[MainJob], Parts]:
    """Return what says which nodes a job gets: *policy* if it chooses them too, else *placement* among what is *free* of each."""
    if isinstance(policy, Choosing):
        return policy.chosen
    return lambda job: place(free(), job.size, placement)


class Semantics(StrEnum):
    """What one instant means, which is the whole difference between published numbers."""

    #: All that is submitted and all that ends in an instant is taken in, then one pass is made.
    PER_TIMESTAMP = "per-timestamp"
    #: A pass after each submission, then one after each end; a job whose limit ends now counts as gone.
    PER_EVENT = "per-event"
