"""Conservative backfilling with a full replan at each pass: every waiting job has a reservation, first come first."""

from collections.abc import Sequence
from itertools import accumulate

from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing.plan import Profile, place_first
from idleq.simulator.queueing.policy import Slot


def conservative(waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
    """Give each job in order the first place that is free for its limit; start those whose place begins now."""
    profile = Profile(now, free, running)
    # What is left of the queue can start nothing once its narrowest job is wider than what is free now.
    narrowest = list(accumulate((job.size for job in reversed(waiting)), min))
    started: list[int] = []
    left = len(waiting)
    for place, job in enumerate(waiting):
        if narrowest[left - place - 1] > profile.free[0]:
            break
        if place_first(profile.times, profile.free, job.size, job.limit) == 0:
            started.append(place)
    return started
