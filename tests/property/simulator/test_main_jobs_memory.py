"""What holds where main jobs share nodes by cores and by memory."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.simulator.costs import equal_costs
from idleq.simulator.events import Ended, Granted, MainEnded, MainStarted
from idleq.simulator.fittingworld import FittingWorld
from idleq.simulator.guestload import always_enough
from idleq.simulator.jobs import MainJob
from idleq.simulator.placement import Parts, Placement, SizeUnit
from idleq.simulator.queueing import replay
from idleq.simulator.queueing.catalog import policy_named
from idleq.simulator.queueing.fitting import Fitting
from idleq.simulator.queueing.policy import DEPTHS
from idleq.simulator.strategies import Site, Strategy, run
from support.world import Site as Lived
from support.world import in_seconds, main_job

NODES, CORES, MEMORY = 3, 4, 400
NODE = Resources(CORES, MEMORY)
END = Millis(3_000)

placements = st.sampled_from(list(Placement))
policies = st.sampled_from(list(DEPTHS))


@st.composite
def streams(draw: st.DrawFn, most_memory: int = MEMORY) -> list[MainJob]:
    found = []
    for number, submit in enumerate(sorted(draw(st.lists(st.integers(0, 200), max_size=14)))):
        memory = draw(st.integers(0, most_memory))
        fits = NODES * min(CORES, MEMORY // memory if memory else CORES)
        run_s = draw(st.integers(1, 60))
        job = main_job(number, submit, run_s, size=draw(st.integers(1, fits)), limit=run_s + draw(st.integers(0, 30)))
        found.append(replace(job, memory=memory))
    return found


class Placed(Fitting):
    """Notes where each job ran."""

    def __init__(self, policy: str, placement: Placement) -> None:
        super().__init__([NODE] * NODES, policy, placement)
        self.parts: dict[int, Parts] = {}

    def started(self, job: MainJob, now: int) -> None:
        self.parts[job.id] = self.chosen(job)
        super().started(job, now)


@settings(max_examples=150)
@given(streams(), policies, placements)
def test_no_node_gives_more_cores_or_memory_than_it_has_and_every_job_runs(
    jobs: list[MainJob], policy: str, placement: Placement
) -> None:
    placed = Placed(policy, placement)
    starts = replay(jobs, NODES * CORES, placed)
    assert starts.keys() == {job.id for job in jobs}
    assert all(sum(cores for _, cores in placed.parts[job.id]) == job.size for job in jobs)
    for at in set(starts.values()):
        for node in range(NODES):
            there = [
                Resources(cores, cores * job.memory)
                for job in jobs
                if starts[job.id] <= at < starts[job.id] + job.run
                for where, cores in placed.parts[job.id]
                if where == node
            ]
            assert sum(there, NOTHING).fits_in(NODE)


@settings(max_examples=150)
@given(streams(MEMORY // CORES), st.sampled_from(["fcfs", "easy", "easy-sjbf"]), placements)
def test_where_memory_is_never_short_every_job_starts_when_it_would_if_nobody_counted_it(
    jobs: list[MainJob], policy: str, placement: Placement
) -> None:
    fitting = Fitting([NODE] * NODES, policy, placement)
    assert replay(jobs, NODES * CORES, fitting) == replay(jobs, NODES * CORES, policy_named(policy, NODES * CORES))


@settings(max_examples=150)
@given(streams(), st.sampled_from(["easy", "easy-sjbf"]))
def test_whoever_overtakes_leaves_the_first_in_the_queue_its_room_by_the_limits(
    jobs: list[MainJob], policy: str
) -> None:
    seen = Watched(policy)
    replay(jobs, NODES * CORES, seen)
    assert seen.moved_back == []


class Watched(Placed):
    """Notices when a pass moves back the time at which the first that does not fit has room by the limits."""

    def __init__(self, policy: str) -> None:
        super().__init__(policy, Placement.LOWEST)
        self.moved_back: list[int] = []
        self._promised: dict[int, int] = {}

    def __call__(
        self, waiting: Sequence[MainJob], free: int, running: Sequence[tuple[int, int, int]], now: int
    ) -> list[int]:
        places = super().__call__(waiting, free, running, now)
        left = [job for place, job in enumerate(waiting) if place not in places]
        if left and places != list(range(len(places))):
            self._check(left[0], [waiting[place] for place in places], now)
        return places

    def _check(self, head: MainJob, begun: Sequence[MainJob], now: int) -> None:
        in_order = [job for job in begun if job.id < head.id]
        when = []
        for some in (in_order, begun):
            ahead = self.ahead(now)
            for job in some:
                ahead.take(now, job, self.chosen(job))
            found = ahead.earliest(head, Placement.LOWEST)
            assert found is not None
            when.append(found[0])
        if when[1] > when[0]:
            self.moved_back.append(head.id)


@settings(max_examples=60, deadline=None)
@given(streams(), policies, placements, st.sampled_from([0, 7]))
def test_main_jobs_and_guests_together_never_hold_more_than_a_node_has(
    jobs: list[MainJob], policy: str, placement: Placement, grace: int
) -> None:
    lived = life(jobs, policy, placement, grace)
    held: dict[object, list[tuple[NodeName, Resources]]] = {}
    for _, event in lived.told():
        match event:
            case Granted():
                held[event.allocation] = [(event.node, event.resources)]
            case MainStarted(job=job):
                parts = zip(event.nodes, event.units, strict=True)
                held[job.id] = [(node, Resources(cores, cores * job.memory)) for node, cores in parts]
            case Ended(allocation=allocation):
                held.pop(allocation, None)
            case MainEnded(job=job):
                del held[job.id]
            case _:
                pass
        for number in range(1, NODES + 1):
            there = (one for parts in held.values() for node, one in parts if node == f"n{number}")
            assert sum(there, NOTHING).fits_in(NODE)


@settings(max_examples=60, deadline=None)
@given(streams(), policies, placements)
def test_without_grace_guests_move_no_main_job(jobs: list[MainJob], policy: str, placement: Placement) -> None:
    alone = replay(jobs, NODES * CORES, Fitting([NODE] * NODES, policy, placement))
    assert life(jobs, policy, placement, 0).starts() == alone


def life(jobs: list[MainJob], policy: str, placement: Placement, grace: int) -> Lived:
    fitting = Fitting([NODE] * NODES, policy, placement)
    options = {"policy": fitting, "placement": placement, "sharing": SizeUnit.CORES, "grace_ms": Millis(grace)}
    lived = Lived(jobs, nodes=NODES, node=NODE, make=FittingWorld, options=options)
    for number in range(40):
        lived.to(number * 10)
        lived.ask(f"a{number}", resources=Resources(1 + number % 2, 50 + 30 * (number % 4)), longest=80)
    lived.to(END)
    return lived


@pytest.mark.parametrize("policy", list(DEPTHS))
@settings(max_examples=10, deadline=None)
@given(jobs=streams())
def test_the_engines_guests_move_no_main_job_either(policy: str, jobs: list[MainJob]) -> None:
    jobs = in_seconds(jobs)
    alone = replay(jobs, NODES * CORES, Fitting([NODE] * NODES, policy))
    until = Millis(max((alone[job.id] + job.run for job in jobs), default=1000))
    fitting = Fitting([NODE] * NODES, policy)
    site = Site(nodes=NODES, node=NODE, jobs=jobs, until=until, sharing=SizeUnit.CORES, policy=fitting)
    gaps = replace(site, policy=Fitting([NODE] * NODES, policy)).gaps()
    outcome = run(site, Strategy.IDLEQ, always_enough(Resources(1, 60), 20), equal_costs(Millis(2)), gaps)
    assert outcome.main_starts == alone
    assert outcome.useful_core_ms <= sum(gap.length_ms * gap.units for gap in gaps)
