"""Conservative backfilling with a full replan at each pass: every waiting job has a reservation, first come first."""

from collections.abc import Sequence

from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing.easy import beside_started
from idleq.simulator.queueing.fcfs import fcfs
from idleq.simulator.queueing.plan import Profile, place_first
from idleq.simulator.queueing.policy import Slot


def conservative(waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
    """Give each job in order the first place that is free for its limit; start those whose place begins now."""
    # Until one does not fit nothing is reserved ahead: what is free now stays free.
    started = fcfs(waiting, free, running, now)
    head = len(started)
    if head + 1 >= len(waiting):
        return started
    if started:
        running, free = beside_started(waiting, started, free, running, now)
    profile = Profile(now, free, running)
    times, steps = profile.times, profile.free
    first = place_first(times, steps, waiting[head].size, waiting[head].limit)
    latest, extra = times[first] - now, steps[first]
    # Reservations only take away. So who does not fit beside the first one starts in no case, and whoever is behind the last who
    # may need not be placed.
    hopeful = [
        place
        for place in range(head + 1, len(waiting))
        if (job := waiting[place]).size <= free and (job.limit <= latest or job.size <= extra)
    ]
    placed = head + 1
    while hopeful:
        place = hopeful.pop(0)
        for job in waiting[placed:place]:
            place_first(times, steps, job.size, job.limit)
        if place_first(times, steps, waiting[place].size, waiting[place].limit) == 0:
            started.append(place)
        placed = place + 1
        while hopeful and not profile.fits_now(waiting[hopeful[-1]].size, waiting[hopeful[-1]].limit):
            hopeful.pop()
    return started
