"""Conservative backfilling with a full replan at each pass: every waiting job has a reservation, first come first."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing.plan import Profile
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


def place_first(times: list[int], free: list[int], size: int, duration: int) -> int:
    """Take *size* for *duration* out of the steps at the first place that has it, and return the step that it begins in.

    Steps are as in `Profile`; the last one is wide enough for every job.
    """
    begin = after = until = 0
    while not after:
        while free[begin] < size:
            begin += 1
        until = times[begin] + duration
        behind = bisect_left(times, until, begin + 1)
        for step in range(begin + 1, behind):
            if free[step] < size:
                begin = step + 1
                break
        else:
            after = behind
    if after == len(times) or times[after] != until:
        times.insert(after, until)
        free.insert(after, free[after - 1])
    for step in range(begin, after):
        free[step] -= size
    return begin
