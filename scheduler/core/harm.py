"""Backing off where guests cost main jobs more than the site allows."""

from dataclasses import dataclass, field

from idleq.ids import Millis
from idleq.scheduler.core.policy import HOUR, Policy
from idleq.scheduler.core.sitefacts import MainJobHeldUp

REMEMBERED = 256
"""So many main jobs are remembered: a cluster adapter that starts again tells once more of those that it can still see."""

MEMORY_MS = Millis(24 * HOUR)
"""A back-off is as good as forgotten after so long: sites have daily rhythms."""

MOST_DOUBLINGS = 6


@dataclass(slots=True)
class HarmMemory:
    """What is remembered of main jobs that were held up.

    Attributes:
        told: the last of them, oldest first.
        back_offs: when each back-off of the last day began.
        until: when the last of them is over.
    """

    told: dict[MainJobHeldUp, None] = field(default_factory=dict)
    back_offs: list[Millis] = field(default_factory=list)
    until: Millis = Millis(0)

    def remember(self, held_up: MainJobHeldUp) -> None:
        """*held_up* was told."""
        self.told[held_up] = None
        if len(self.told) > REMEMBERED:
            del self.told[next(iter(self.told))]

    def back_off(self, at: Millis, until: Millis) -> None:
        """One began."""
        self.until = max(self.until, until)
        self.back_offs = [*(began for began in self.back_offs if began > at - MEMORY_MS), at]

    def next_length(self, policy: Policy, now: Millis) -> Millis:
        """Return how long a back-off that begins now lasts: twice as long for each other one of the last day."""
        others = sum(began > now - MEMORY_MS for began in self.back_offs)
        return Millis(policy.back_off_ms << min(others, MOST_DOUBLINGS))


def limit_of(held_up: MainJobHeldUp, policy: Policy) -> Millis:
    """Return what that main job may have waited."""
    return held_up.bound_ms if policy.harm_limit_ms is None else policy.harm_limit_ms


def complaint(held_up: MainJobHeldUp, policy: Policy) -> str | None:
    """Return in words what is too much about it, None if nothing is."""
    if held_up.guests_alive:
        return f"main job {held_up.main_job} started while {held_up.guests_alive} guests still lived on its nodes"
    limit = limit_of(held_up, policy)
    if held_up.waited_ms <= limit:
        return None
    waited = f"{held_up.waited_ms / 1000:g} s for guests to leave"
    return f"main job {held_up.main_job} waited {waited}, and {limit / 1000:g} s is the most that it may"
