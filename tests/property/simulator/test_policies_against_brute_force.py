"""Second, slow and plain queues, written from the rules alone, agree with the policies on every start."""

from collections.abc import Callable, Sequence
from functools import partial
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.simulator.jobs import MainJob
from idleq.simulator.outagerun import OutageRun
from idleq.simulator.outages import Kind, Outage
from idleq.simulator.queueing import Semantics, replay
from idleq.simulator.queueing.around import evading
from idleq.simulator.queueing.catalog import POLICIES, Reservation, policy_named
from idleq.simulator.queueing.compressing import Compressing
from idleq.simulator.queueing.easy import easy_sjbf
from idleq.simulator.queueing.policy import Slot
from idleq.simulator.queueing.slurm import SlurmLike, SlurmSettings
from support.slow_queue import PROCESSORS, Seconds, second_by_second, streams


def plainly_easy(jobs: Sequence[MainJob], *, shortest_first: bool = False) -> dict[int, int]:
    """Start behind the head whatever leaves the head's first possible second where it was."""

    def choose(waiting: list[MainJob], starts: dict[int, int], now: int) -> list[MainJob]:
        seconds = Seconds(jobs, starts, now)
        chosen: list[MainJob] = []
        while waiting and waiting[0].size <= seconds.free[0]:
            chosen.append(waiting.pop(0))
            seconds.take(chosen[-1], now)
        if not waiting:
            return chosen
        head, *others = waiting
        for job in sorted(others, key=lambda job: job.limit) if shortest_first else others:
            if job.size <= seconds.free[0]:
                before = seconds.first(head)
                seconds.take(job, now)
                if seconds.first(head) > before:
                    seconds.take(job, now, sign=-1)
                else:
                    chosen.append(job)
        return chosen

    return second_by_second(jobs, choose)


def plainly_conservative(jobs: Sequence[MainJob]) -> dict[int, int]:
    """Give every job, in order, the first seconds that are free for it; start those whose seconds begin now."""

    def choose(waiting: list[MainJob], starts: dict[int, int], now: int) -> list[MainJob]:
        seconds = Seconds(jobs, starts, now)
        chosen = []
        for job in waiting:
            first = seconds.first(job)
            seconds.take(job, first)
            if first == now:
                chosen.append(job)
        return chosen

    return second_by_second(jobs, choose)


def plainly_compressing(jobs: Sequence[MainJob]) -> dict[int, int]:
    """Keep each job's first plan; when one has ended, take each plan out, in order, and plan it again."""
    plans: dict[int, int] = {}

    def choose(waiting: list[MainJob], starts: dict[int, int], now: int) -> list[MainJob]:
        seconds = Seconds(jobs, starts, now)
        for job in waiting:
            if job.id in plans:
                seconds.take(job, plans[job.id])
        has_ended = any(starts[job.id] + job.run == now for job in jobs if job.id in starts)
        for job in waiting if has_ended else ():
            if plans.get(job.id, now) > now:
                seconds.take(job, plans[job.id], sign=-1)
                plans[job.id] = seconds.first(job)
                seconds.take(job, plans[job.id])
        for job in waiting:
            if job.id not in plans:
                plans[job.id] = seconds.first(job)
                seconds.take(job, plans[job.id])
        return [job for job in waiting if plans[job.id] == now]

    return second_by_second(jobs, choose)


@given(streams())
def test_shortest_first_easy_starts_every_job_when_the_rules_say(jobs: list[MainJob]) -> None:
    assert replay(jobs, PROCESSORS, easy_sjbf) == plainly_easy(jobs, shortest_first=True)


@given(streams())
def test_conservative_starts_every_job_when_the_rules_say(jobs: list[MainJob]) -> None:
    assert replay(jobs, PROCESSORS, policy_named("conservative", PROCESSORS)) == plainly_conservative(jobs)


@given(streams())
def test_compressing_starts_every_job_when_the_rules_say(jobs: list[MainJob]) -> None:
    assert replay(jobs, PROCESSORS, policy_named("compressing", PROCESSORS)) == plainly_compressing(jobs)


class Watched(Compressing):
    """Notices when a plan moves back."""

    moved_back = False

    def __call__(self, waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
        before = dict(self._planned)
        places = super().__call__(waiting, free, running, now)
        self.moved_back |= any(self._planned[number] > start for number, start in before.items())
        return places


@given(streams(), st.sampled_from(Semantics))
def test_a_compressing_queue_never_moves_a_plan_back(jobs: list[MainJob], semantics: Semantics) -> None:
    policy = Watched()
    replay(jobs, PROCESSORS, policy, semantics)
    assert not policy.moved_back


NAMED_PROCESSORS = range(PROCESSORS)


def plainly_named(jobs: Sequence[MainJob]) -> dict[int, int]:
    """EASY with sets of processors: a job that outlasts the head's start keeps off those that the head will have."""
    held: dict[int, frozenset[int]] = {}

    def choose(waiting: list[MainJob], starts: dict[int, int], now: int) -> list[MainJob]:
        by_id = {job.id: job for job in jobs}
        running = {number: at for number, at in starts.items() if at + by_id[number].run > now}
        idle = set(NAMED_PROCESSORS) - {one for number in running for one in held[number]}
        chosen: list[MainJob] = []

        def begin(job: MainJob, usable: set[int]) -> None:
            held[job.id] = frozenset(sorted(usable)[: job.size])
            idle.difference_update(held[job.id])
            running[job.id] = now
            chosen.append(job)

        while waiting and waiting[0].size <= len(idle):
            begin(waiting.pop(0), idle)
        if not waiting:
            return chosen
        head = waiting[0]
        shadow, there = now, set(idle)
        while len(there) < head.size:
            shadow += 1
            there |= {p for n, at in running.items() if at + by_id[n].limit <= shadow for p in held[n]}
        reserved = set(sorted(there)[: head.size])
        for job in waiting[1:]:
            usable = idle if now + job.limit <= shadow else idle - reserved
            if job.size <= len(usable):
                begin(job, usable)
        return chosen

    return second_by_second(jobs, choose)


@given(streams())
def test_reservations_by_nodes_start_every_job_when_the_rules_say(jobs: list[MainJob]) -> None:
    assert replay(jobs, PROCESSORS, policy_named("easy", PROCESSORS, Reservation.NODES)) == plainly_named(jobs)


SLURM = SlurmSettings(
    weight_age=10, weight_size=7, weight_qos=5, weight_fairshare=20, max_age=30, half_life=25, qos={1: 1.0},
    queue_depth=3, bf_interval=4, bf_max_job_test=3, bf_window=60,
)  # fmt: skip


def plainly_slurm(jobs: Sequence[MainJob]) -> dict[int, int]:
    """Priorities from sums over seconds; every fourth second a look behind the first job that does not fit."""
    stale = [False]

    def used(user: int, starts: dict[int, int], now: int) -> float:
        rate = log(2) / SLURM.half_life
        total = 0.0
        for job in jobs:
            if job.user == user and job.id in starts:
                begin, end = starts[job.id], min(now, starts[job.id] + job.run)
                total += (
                    job.size * (2 ** (-(now - end) / SLURM.half_life) - 2 ** (-(now - begin) / SLURM.half_life)) / rate
                )
        return total

    def priority(job: MainJob, starts: dict[int, int], now: int) -> float:
        users = {other.user for other in jobs if other.submit <= now}
        all_used = {user: used(user, starts, now) for user in users}
        total = sum(all_used.values())
        fair = 2 ** (-all_used[job.user] / total * len(users)) if total else 1.0
        return (
            SLURM.weight_age * min(1, (now - job.submit) / SLURM.max_age)
            + SLURM.weight_size * job.size / PROCESSORS
            + SLURM.weight_qos * (job.queue == 1)
            + SLURM.weight_fairshare * fair
        )

    def choose(waiting: list[MainJob], starts: dict[int, int], now: int) -> list[MainJob]:
        ended = any(starts[job.id] + job.run == now for job in jobs if job.id in starts)
        came = any(job.submit == now for job in jobs)
        stale[0] = stale[0] or ended or came
        if not (ended or came or (now % SLURM.bf_interval == 0 and stale[0])):
            return []
        order = sorted(waiting, key=lambda job: -round(priority(job, starts, now), 6))
        seconds = Seconds(jobs, starts, now)
        chosen: list[MainJob] = []
        while len(chosen) < SLURM.queue_depth and order and order[0].size <= seconds.free[0]:
            chosen.append(order.pop(0))
            seconds.take(chosen[-1], now)
        if now % SLURM.bf_interval == 0:
            stale[0] = False
            for job in order[: SLURM.bf_max_job_test]:
                first = seconds.first(job)
                if first <= now + SLURM.bf_window:
                    seconds.take(job, first)
                    chosen += [job] if first == now else []
        return chosen

    return second_by_second(jobs, choose)


@given(streams(longest=14))
def test_the_slurm_like_queue_starts_every_job_when_the_rules_say(jobs: list[MainJob]) -> None:
    assert replay(jobs, PROCESSORS, SlurmLike(PROCESSORS, SLURM)) == plainly_slurm(jobs)


@pytest.mark.parametrize(
    ("name", "plainly"),
    [
        ("fcfs", None),
        ("easy", plainly_easy),
        ("easy-sjbf", partial(plainly_easy, shortest_first=True)),
        ("conservative", plainly_conservative),
        ("compressing", plainly_compressing),
        ("slurm", None),
    ],
)
@given(jobs=streams())
def test_a_machine_that_is_all_there_runs_as_without_outages(
    name: str, plainly: Callable[[Sequence[MainJob]], dict[int, int]] | None, jobs: list[MainJob]
) -> None:
    expected = replay(jobs, PROCESSORS, policy_named(name, PROCESSORS)) if plainly is None else plainly(jobs)
    assert OutageRun(jobs, PROCESSORS, (), evading(name, PROCESSORS, ())).finish().starts == expected


@st.composite
def outages(draw: st.DrawFn) -> list[Outage]:
    found = []
    for _ in range(draw(st.integers(min_value=1, max_value=4))):
        begin = draw(st.integers(min_value=0, max_value=60))
        until = begin + draw(st.integers(min_value=1, max_value=20))
        mask = draw(st.integers(min_value=1, max_value=2**PROCESSORS - 1))
        found.append(Outage(kind=draw(st.sampled_from(list(Kind))), begin=begin, until=until, processors=mask))
    return sorted(found, key=lambda one: one.begin)


@settings(max_examples=200)
@given(streams(), outages(), st.sampled_from(POLICIES))
def test_every_job_runs_whole_on_processors_that_are_there(jobs: list[MainJob], away: list[Outage], name: str) -> None:
    run = OutageRun(jobs, PROCESSORS, away, evading(name, PROCESSORS, away)).finish()

    assert run.starts.keys() == {job.id for job in jobs}
    for at in range(max(run.starts.values()) + 1):
        running = [job for job in jobs if run.starts[job.id] <= at < run.starts[job.id] + job.run]
        # Jobs that a drain found running may go on there.
        begun_before = [one for one in away if one.kind is Kind.DRAIN and one.begin <= at < one.until]
        gone = 0
        for one in away:
            if one.begin <= at < one.until and one not in begun_before:
                gone |= one.processors
        assert sum(job.size for job in running) <= PROCESSORS - gone.bit_count()
