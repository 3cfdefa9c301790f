"""Queues written from the rules alone, slow and plain: they look at every second and keep no profile but a list of seconds."""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from idleq.simulator.jobs import MainJob

PROCESSORS = 6


@st.composite
def streams(draw: st.DrawFn, longest: int = 25) -> list[MainJob]:
    """A few jobs that come in, run and ask for little, so that ties and full machines are frequent."""
    times = st.integers(min_value=1, max_value=12)
    jobs: list[MainJob] = []
    submit = 0
    for number in range(draw(st.integers(min_value=1, max_value=longest))):
        submit += draw(st.integers(min_value=0, max_value=6))
        run = draw(times)
        limit = run + draw(st.integers(min_value=0, max_value=8))
        size = draw(st.integers(min_value=1, max_value=PROCESSORS))
        user = draw(st.integers(min_value=1, max_value=3))
        jobs.append(MainJob(id=number, submit=submit, run=run, limit=limit, size=size, user=user, queue=user % 2))
    return jobs


class Seconds:
    """Who holds what, second by second from *now* on, as far as it is known at *now*: by limits, except of what has ended."""

    def __init__(self, jobs: Sequence[MainJob], starts: dict[int, int], now: int, machine: int = PROCESSORS) -> None:
        horizon = now + sum(job.limit for job in jobs) + 20
        self.now = now
        self.free = [machine] * (horizon - now)
        for job in jobs:
            if job.id in starts and starts[job.id] + job.run > now:
                self.take(job, starts[job.id])

    def take(self, job: MainJob, start: int, sign: int = 1) -> None:
        """Hold *job* from *start* on for its limit."""
        for at in range(max(start, self.now), start + job.limit):
            self.free[at - self.now] -= sign * job.size

    def first(self, job: MainJob) -> int:
        """The first second from which there is room for *job* all through its limit."""
        at = self.now
        while min(self.free[at - self.now : at - self.now + job.limit]) < job.size:
            at += 1
        return at


Choose = Callable[[list[MainJob], dict[int, int], int], list[MainJob]]
"""Which of the jobs that wait, first come first, start now; told the starts so far, and now."""


def second_by_second(jobs: Sequence[MainJob], choose: Choose) -> dict[int, int]:
    """Ask *choose* at every second until all have started."""
    starts: dict[int, int] = {}
    now = 0
    while len(starts) < len(jobs):
        waiting = [job for job in jobs if job.submit <= now and job.id not in starts]
        for job in choose(waiting, starts, now):
            starts[job.id] = now
        now += 1
    return starts
