"""What holds on every site with guests that the engine, unchanged, brings in."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.ids import JobId, Millis, NodeName
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.facts import (
    Fact,
    JobDone,
    SegmentFrozen,
    SegmentLost,
    SegmentRunning,
    SegmentStarted,
)
from idleq.scheduler.core.inputs import JobsSubmitted
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange, JobSpec, Submission
from idleq.simulator.costs import equal_costs
from idleq.simulator.events import MainStarted
from idleq.simulator.guestload import Arrival, always_enough
from idleq.simulator.jobs import MainJob
from idleq.simulator.outages import Kind, Outage
from idleq.simulator.queueing import replay
from idleq.simulator.queueing.around import evading
from idleq.simulator.queueing.catalog import POLICIES
from idleq.simulator.queueing.conservative import conservative
from idleq.simulator.queueing.slurm import SlurmSettings, in_milliseconds
from idleq.simulator.strategies import Site, Strategy, prepared, run

NODES, CORES = 3, 4
NODE = Resources(CORES, 400)
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
END = Millis(10 * HOUR)

SLURM = SlurmSettings(bf_interval=120)

costs_s = st.sampled_from([1, 10, 60, 300])


@st.composite
def main_jobs(draw: st.DrawFn, *, latest: int = 5 * HOUR, are_estimates_perfect: bool = False) -> tuple[MainJob, ...]:
    submits = sorted(draw(st.lists(st.integers(0, latest // MINUTE), max_size=12)))
    found = []
    for number, submit in enumerate(submits, start=1):
        run_ms = draw(st.integers(1, 60)) * MINUTE
        spare = 0 if are_estimates_perfect else draw(st.integers(0, 60)) * MINUTE
        size = draw(st.integers(1, NODES))
        found.append(MainJob(id=number, submit=submit * MINUTE, run=run_ms, limit=run_ms + spare, size=size))
    return tuple(found)


def site(jobs: Sequence[MainJob], grace_s: int = 0, mode: Mode = Mode.PREEMPTIBLE) -> Site:
    return Site(
        nodes=NODES,
        node=NODE,
        jobs=jobs,
        until=END,
        grace_ms=Millis(grace_s * SECOND),
        mode=mode,
        longest_ms=Millis(HOUR),
    )


@dataclass
class Stays:
    """Notes from when until when anybody held cores of a node, and how much of each guest's work was done there."""

    cores: int
    held: list[tuple[NodeName, int, int, int]] = field(default_factory=list)
    worked_ms: dict[JobId, int] = field(default_factory=dict)
    done: list[JobId] = field(default_factory=list)
    starts: dict[int, tuple[int, int]] = field(default_factory=dict)
    nodes_of: dict[int, Sequence[NodeName]] = field(default_factory=dict)
    _begun: dict[JobId, tuple[NodeName, Millis]] = field(default_factory=dict)
    _up: dict[JobId, Millis] = field(default_factory=dict)

    def saw_facts(self, at: Millis, facts: tuple[Fact, ...]) -> None:
        for fact in facts:
            match fact:
                case SegmentStarted():
                    self._begun[fact.job] = fact.node, at
                case SegmentRunning():
                    self._up[fact.job] = fact.since
                case SegmentFrozen() | SegmentLost() | JobDone():
                    node, begun = self._begun.pop(fact.job)
                    self.held.append((node, begun, at, self.cores))
                    up = self._up.pop(fact.job, at)
                    self.worked_ms[fact.job] = self.worked_ms.get(fact.job, 0) + at - up
                    if isinstance(fact, JobDone):
                        self.done.append(fact.job)
                case _:
                    pass

    def saw_start(self, at: Millis, started: MainStarted) -> None:
        self.held += ((node, at, at + started.job.run, CORES) for node in started.nodes)

    def saw_kill(self, at: Millis, job: MainJob) -> None:
        pass

    def most_on(self, node: NodeName) -> int:
        # At one instant what ends goes before what begins.
        steps = sorted(
            step
            for name, begin, end, cores in self.held
            if name == node and begin < end
            for step in ((begin, cores), (end, -cores))
        )
        steps.sort(key=lambda step: (step[0], step[1] > 0))
        most = held = 0
        for _, change in steps:
            held += change
            most = max(most, held)
        return most


def short_guests(cores: int, count: int, run_ms: int) -> tuple[Arrival, ...]:
    spec = JobSpec(name="guest", argv=("guest",), resources=Resources(cores, cores * 100), expected_ms=Millis(run_ms))
    submission = Submission(spec=spec, array=ArrayRange(0, count - 1))
    return ((Millis(0), JobsSubmitted(submissions=(submission,), request="guests", user="somebody")),)


@settings(max_examples=25, deadline=None)
@given(main_jobs(), costs_s, st.sampled_from([0, 30, 300]), st.sampled_from(list(Mode)), st.integers(1, CORES))
def test_main_jobs_and_guests_together_never_hold_more_than_a_node_has(
    jobs: tuple[MainJob, ...], cost_s: int, grace_s: int, mode: Mode, cores: int
) -> None:
    stays, place = Stays(cores), site(jobs, grace_s, mode)
    guests = short_guests(cores, 20, 40 * MINUTE)
    prepared(place, Strategy.IDLEQ, guests, equal_costs(Millis(cost_s * SECOND)), place.gaps(), [stays]).run(END)
    assert all(stays.most_on(NodeName(f"n{number}")) <= CORES for number in range(1, NODES + 1))


@settings(max_examples=25, deadline=None)
@given(main_jobs(), costs_s, st.sampled_from([0, 30]), st.integers(1, 50))
def test_a_guest_that_is_done_has_worked_for_its_whole_run_and_counts_once(
    jobs: tuple[MainJob, ...], cost_s: int, grace_s: int, run_minutes: int
) -> None:
    stays, place, costs = Stays(1), site(jobs, grace_s), equal_costs(Millis(cost_s * SECOND))
    guests, gaps = short_guests(1, 10, run_minutes * MINUTE), place.gaps()
    prepared(place, Strategy.IDLEQ, guests, costs, gaps, [stays]).run(END)
    outcome = run(place, Strategy.IDLEQ, guests, costs, gaps)
    assert len(stays.done) == len(set(stays.done)) == outcome.done
    assert all(stays.worked_ms[job] >= run_minutes * MINUTE for job in stays.done)
    assert outcome.useful_core_ms >= outcome.done * run_minutes * MINUTE


@settings(max_examples=25, deadline=None)
@given(main_jobs(), costs_s, st.sampled_from([Strategy.IDLEQ, Strategy.YOUNG, Strategy.ORACLE]))
def test_no_more_is_harvested_than_the_gaps_hold_and_no_main_job_moves(
    jobs: tuple[MainJob, ...], cost_s: int, strategy: Strategy
) -> None:
    place = site(jobs)
    gaps = place.gaps()
    whole = Resources(CORES, 100)
    outcome = run(place, strategy, always_enough(whole, 9), equal_costs(Millis(cost_s * SECOND)), gaps)
    alone = {job: start for job, start in replay(jobs, NODES, place.policy).items() if start <= END}
    assert outcome.main_starts == alone
    assert outcome.useful_core_ms <= sum(gap.length_ms for gap in gaps) * CORES


@settings(max_examples=25, deadline=None)
@given(main_jobs(), costs_s, st.sampled_from([0, 30]), st.randoms(use_true_random=False))
def test_the_order_of_equal_jobs_that_come_in_together_does_not_change_totals(
    jobs: tuple[MainJob, ...], cost_s: int, grace_s: int, draw: Random
) -> None:
    twins = [replace(job, id=job.id + shift, size=1) for job in jobs for shift in (0, 100, 200)]
    numbers = [job.id for job in twins]
    draw.shuffle(numbers)
    renamed = [replace(job, id=number) for job, number in zip(twins, numbers, strict=True)]
    guests, costs = always_enough(NODE, 9), equal_costs(Millis(cost_s * SECOND))
    first, second = (
        run(place, Strategy.IDLEQ, guests, costs, place.gaps())
        for place in (site(tuple(twins), grace_s), site(tuple(renamed), grace_s))
    )
    assert first.useful_core_ms == second.useful_core_ms
    assert (first.segments, first.frozen, first.lost) == (second.segments, second.frozen, second.lost)
    assert sorted(first.main_starts.values()) == sorted(second.main_starts.values())
    assert sorted(first.waited.values()) == sorted(second.waited.values())


@settings(max_examples=40, deadline=None)
@given(main_jobs(latest=0, are_estimates_perfect=True), costs_s)
def test_in_windows_no_main_job_moves_where_all_are_known_and_the_queue_keeps_to_its_plan(
    jobs: tuple[MainJob, ...], cost_s: int
) -> None:
    place = replace(site(jobs, mode=Mode.WINDOW), policy=conservative)
    outcome = run(place, Strategy.IDLEQ, always_enough(NODE, 9), equal_costs(Millis(cost_s * SECOND)), place.gaps())
    alone = {job: start for job, start in replay(jobs, NODES, conservative).items() if start <= END}
    assert outcome.main_starts == alone
    assert outcome.waited == {}


@settings(max_examples=25, deadline=None)
@given(main_jobs(), costs_s, st.sampled_from([0, 30]))
def test_in_windows_every_wait_for_guests_keeps_within_a_windows_length(
    jobs: tuple[MainJob, ...], cost_s: int, grace_s: int
) -> None:
    place = site(jobs, grace_s, Mode.WINDOW)
    outcome = run(place, Strategy.IDLEQ, always_enough(NODE, 9), equal_costs(Millis(cost_s * SECOND)), place.gaps())
    assert all(waited <= bound <= place.longest_ms for waited, bound in outcome.waited.values())


@st.composite
def absences(draw: st.DrawFn) -> tuple[Outage, ...]:
    found = []
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, 6 * 60)) * MINUTE
        until = begin + draw(st.integers(1, 120)) * MINUTE
        processors = draw(st.integers(1, 2**NODES - 1))
        found.append(Outage(kind=draw(st.sampled_from(list(Kind))), begin=begin, until=until, processors=processors))
    return tuple(sorted(found, key=lambda one: one.begin))


@settings(max_examples=40, deadline=None)
@given(main_jobs(), costs_s, absences(), st.sampled_from(POLICIES))
def test_without_grace_no_main_job_moves_whatever_fails_and_guests_stay_within_the_gaps(
    jobs: tuple[MainJob, ...], cost_s: int, outages: tuple[Outage, ...], policy: str
) -> None:
    def place() -> Site:
        return replace(site(jobs), outages=outages, policy=evading(policy, NODES, outages, in_milliseconds(SLURM)))

    gaps = place().gaps()
    outcome = run(place(), Strategy.IDLEQ, always_enough(NODE, 9), equal_costs(Millis(cost_s * SECOND)), gaps)
    without = run(place(), Strategy.NONE, (), equal_costs(Millis(0)), gaps)
    assert outcome.main_starts == without.main_starts
    assert outcome.useful_core_ms <= sum(gap.length_ms for gap in gaps) * CORES


@settings(max_examples=40, deadline=None)
@given(main_jobs(), absences(), st.sampled_from([0, 30, 300]), st.sampled_from(list(Mode)), st.sampled_from(POLICIES))
def test_whatever_fails_waits_keep_within_their_bounds_and_nothing_holds_what_is_not_there(
    jobs: tuple[MainJob, ...], outages: tuple[Outage, ...], grace_s: int, mode: Mode, policy: str
) -> None:
    def place() -> Site:
        queue = evading(policy, NODES, outages, in_milliseconds(SLURM))
        return replace(site(jobs, grace_s, mode), outages=outages, policy=queue)

    stays, gaps, costs = Killed(CORES), place().gaps(), equal_costs(Millis(10 * SECOND))
    outcome = run(place(), Strategy.IDLEQ, always_enough(NODE, 9), costs, gaps)
    assert all(waited <= bound for waited, bound in outcome.waited.values())
    prepared(place(), Strategy.IDLEQ, always_enough(NODE, 9), costs, gaps, [stays]).run(END)
    assert all(stays.most_on(NodeName(f"n{number}")) <= CORES for number in range(1, NODES + 1))
    for node, begin, end, _ in stays.held:
        failed = (one for one in outages if one.kind is Kind.OUTAGE and int(node[1:]) - 1 in one)
        assert not any(max(begin, one.begin) < min(end, one.until) for one in failed)


class Killed(Stays):
    """Notes of main jobs that outages killed that they held their nodes no longer."""

    def saw_kill(self, at: Millis, job: MainJob) -> None:
        begun = self.starts.pop(job.id)
        ours = [(node, begin, end, cores) for node, begin, end, cores in self.held if (begin, end) == begun]
        for held in ours:
            if held[0] in self.nodes_of[job.id]:
                self.held.remove(held)
                self.held.append((held[0], held[1], at, held[3]))

    def saw_start(self, at: Millis, started: MainStarted) -> None:
        super().saw_start(at, started)
        self.starts[started.job.id] = at, at + started.job.run
        self.nodes_of[started.job.id] = started.nodes
