"""First come, first served: nobody overtakes."""

from collections.abc import Sequence

from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing.policy import Slot


def fcfs(waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
    """Start jobs in order until the first one that does not fit."""
    del running, now  # the policy's signature: this one needs neither
    started: list[int] = []
    for place, job in enumerate(waiting):
        if job.size > free:
            break
        free -= job.size
        started.append(place)
    return started
