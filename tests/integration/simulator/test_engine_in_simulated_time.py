"""The real engine, unchanged, in a simulated world."""

from itertools import pairwise

import pytest

from idleq.ids import Millis
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.facts import JobDone, SegmentFrozen, SegmentStarted
from idleq.scheduler.core.inputs import JobsSubmitted
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange, JobSpec, Submission
from idleq.simulator.agents import GuestCosts
from idleq.simulator.experiment import Experiment, replay
from idleq.simulator.jobs import MainJob, numbered_nodes
from idleq.simulator.queueing import easy
from idleq.simulator.queueing import replay as replay_queue
from idleq.simulator.synthetic import Stream, busy_cluster, synthetic

NODES = 4
NODE = Resources(cores=1, memory=1_000)
COSTS = GuestCosts(
    agent_ms=Millis(600),
    launch_ms=Millis(1_500),
    thaw_ms=Millis(2_000),
    freeze_ms=Millis(1_500),
    save_ms=Millis(500),
    bytes=1_000,
)


def policy(grace_ms: int) -> Policy:
    return Policy(
        grace_ms=Millis(grace_ms),
        min_gap_ms=Millis(6_000),
        max_allocation_ms=Millis(120_000),
        linger_ms=Millis(500),
        retry_ms=Millis(1_000),
        slow_ms=Millis(2_000),
        freeze_ms=Millis(1_500),
        thaw_ms=Millis(2_000),
        margin_ms=Millis(500),
        stall_segments=1_000,
    )


def submit(run_ms: int, tasks: int | None = None) -> JobsSubmitted:
    spec = JobSpec(name="guest", argv=("guest",), resources=Resources(1, 100), expected_ms=Millis(run_ms))
    array = None if tasks is None else ArrayRange(0, tasks - 1)
    return JobsSubmitted(submissions=(Submission(spec=spec, array=array),), request="request", user="somebody")


def busy(seed: int, grace_ms: int, what: JobsSubmitted) -> Experiment:
    engine = Engine(policy(grace_ms))
    jobs = busy_cluster(NODES, seed)
    run = Experiment(
        engine, numbered_nodes(NODES, NODE), jobs, COSTS, grace_ms=Millis(grace_ms), epoch=Millis(1_000_000)
    )
    run.tell(Millis(0), what)
    return run


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_guest_of_two_minutes_is_frozen_and_moved_until_it_is_done_once(seed: int) -> None:
    run = busy(seed, 5_000, submit(120_000))
    run.run_while(lambda: not run.published, Millis(600_000))
    nodes = [fact.node for _, fact in run.facts if isinstance(fact, SegmentStarted)]
    moves = sum(before != after for before, after in pairwise(nodes))
    freezes = sum(isinstance(fact, SegmentFrozen) for _, fact in run.facts)
    assert len([fact for _, fact in run.facts if isinstance(fact, JobDone)]) == 1
    assert moves >= 2
    assert freezes >= 2


@pytest.mark.parametrize("grace_ms", [0, 5_000])
def test_an_engine_that_is_told_the_same_commands_the_same(grace_ms: int) -> None:
    run = busy(4, grace_ms, submit(20_000, tasks=20))
    run.run(Millis(300_000))
    assert len(run.published) > 5
    assert replay(Engine(policy(grace_ms)), run.inputs) == run.commands
    again = busy(4, grace_ms, submit(20_000, tasks=20))
    again.run(Millis(300_000))
    assert (again.inputs, again.commands, again.starts) == (run.inputs, run.commands, run.starts)


def test_without_grace_no_main_job_feels_the_guests() -> None:
    stream = Stream(
        nodes=NODES, load=0.7, sizes={1: 4, 2: 2, 4: 1}, mean_run_ms=20_000, spread=0.8, round_limit_ms=1_000
    )
    jobs: list[MainJob] = []
    for job in synthetic(stream, 5):
        if job.submit > 1_200_000:
            break
        jobs.append(job)
    run = Experiment(Engine(policy(0)), numbered_nodes(NODES, NODE), jobs, COSTS)
    run.tell(Millis(0), submit(30_000, tasks=40))
    run.run(Millis(3_000_000))
    assert run.starts == replay_queue(jobs, NODES, easy)
    assert len(run.published) == 40
