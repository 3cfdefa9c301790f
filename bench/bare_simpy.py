"""EASY backfilling on SimPy and nothing else: what the simulator's main queue is measured against."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import NamedTuple

import simpy


class Job(NamedTuple):
    """A main job, times in seconds."""

    id: int
    submit: int
    run: int
    limit: int
    size: int


def bare_easy(jobs: Sequence[Job], processors: int) -> dict[int, int]:  # noqa: PLR0915 - it is to be one plain loop
    """Return the start of each of *jobs*, sorted by submit: one source, a callback per end, one pass a second."""
    env = simpy.Environment()
    starts: dict[int, int] = {}
    queue: list[Job] = []
    running: list[tuple[int, int, int]] = []
    free = processors
    pass_at = -1

    def source() -> "simpy.events.ProcessGenerator":
        for job in jobs:
            if job.submit > env.now:
                yield env.timeout(job.submit - env.now)
            queue.append(job)
            if job.size <= free:
                want_pass()

    def want_pass() -> None:
        nonlocal pass_at
        if pass_at != env.now:
            pass_at = int(env.now)
            event = env.event()
            event._ok, event._value = True, None  # noqa: SLF001 - as simpy.Timeout does it: what is scheduled has happened
            event.callbacks.append(run_pass)
            env.schedule(event, 2)  # type: ignore[arg-type]  # SimPy's type names only its own two ranks

    def start(job: Job) -> None:
        nonlocal free
        now = int(env.now)
        slot = (now + job.limit, len(starts), job.size)
        starts[job.id] = now
        free -= job.size
        insort(running, slot)
        env.timeout(job.run).callbacks.append(lambda _: end(slot))

    def end(slot: tuple[int, int, int]) -> None:
        nonlocal free
        del running[bisect_left(running, slot)]
        free += slot[2]
        if queue:
            want_pass()

    def run_pass(_: object) -> None:
        nonlocal pass_at
        pass_at = -1
        while queue and queue[0].size <= free:
            start(queue.pop(0))
        if len(queue) > 1 and free > 0:
            backfill(queue[0].size, int(env.now))

    def backfill(head: int, now: int) -> None:
        shadow, room = 0, free
        for limit, _, size in running:
            if room >= head and limit > shadow:
                break
            shadow, room = limit, room + size
        extra = room - head
        chosen = []
        left = free
        for place in range(1, len(queue)):
            _, _, _, limit, size = queue[place]
            if size <= left and (now + limit <= shadow or size <= extra):
                if now + limit > shadow:
                    extra -= size
                chosen.append(place)
                left -= size
                if left == 0:
                    break
        for job in [queue[place] for place in chosen]:
            start(job)
        for place in reversed(chosen):
            del queue[place]

    env.process(source())
    env.run()
    return starts
