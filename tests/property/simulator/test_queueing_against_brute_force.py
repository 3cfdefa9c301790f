"""A second, slow and plain queue, written from the rules alone, agrees with the engine on every start."""

from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing import easy, fcfs, replay

PROCESSORS = 6


@st.composite
def streams(draw: st.DrawFn) -> list[MainJob]:
    times = st.integers(min_value=1, max_value=12)
    jobs: list[MainJob] = []
    submit = 0
    for number in range(draw(st.integers(min_value=1, max_value=25))):
        submit += draw(st.integers(min_value=0, max_value=6))
        run = draw(times)
        limit = run + draw(st.integers(min_value=0, max_value=8))
        size = draw(st.integers(min_value=1, max_value=PROCESSORS))
        jobs.append(MainJob(id=number, submit=submit, run=run, limit=limit, size=size))
    return jobs


def brute_force(jobs: list[MainJob], *, backfill: bool) -> dict[int, int]:
    """Look at every second; at each, put up the whole future of what runs and ask of each job whether it may start."""
    starts: dict[int, int] = {}
    now = 0
    while len(starts) < len(jobs):
        waiting = [job for job in jobs if job.submit <= now and job.id not in starts]
        while waiting and waiting[0].size <= room(jobs, starts, now, now):
            starts[waiting.pop(0).id] = now
        if waiting and backfill:
            head, *others = waiting
            for job in others:
                if job.size <= room(jobs, starts, now, now):
                    before = earliest(head, jobs, starts, now)
                    starts[job.id] = now
                    if earliest(head, jobs, starts, now) > before:
                        del starts[job.id]
        now += 1
    return starts


def room(jobs: list[MainJob], starts: dict[int, int], now: int, at: int) -> int:
    """Processors free at *at*, as far as is known at *now*: by limits, except of what has ended already."""
    used = 0
    for job in jobs:
        if job.id in starts:
            start = starts[job.id]
            ended = start + job.run <= now
            used += job.size if start <= at < start + job.limit and not ended else 0
    return PROCESSORS - used


def earliest(head: MainJob, jobs: list[MainJob], starts: dict[int, int], now: int) -> int:
    at = now
    while room(jobs, starts, now, at) < head.size:
        at += 1
    return at


@settings(max_examples=150, deadline=None)
@given(streams())
def test_easy_starts_every_job_when_the_rules_say(jobs: list[MainJob]) -> None:
    assert replay(jobs, PROCESSORS, easy) == brute_force(jobs, backfill=True)


@settings(max_examples=50, deadline=None)
@given(streams())
def test_first_come_first_served_starts_every_job_when_the_rules_say(jobs: list[MainJob]) -> None:
    assert replay(jobs, PROCESSORS, fcfs) == brute_force(jobs, backfill=False)
