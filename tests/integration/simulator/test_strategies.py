"""All strategies on one small site, with the engine unchanged."""

import pytest

from idleq.ids import Millis
from idleq.scheduler.core.resources import Resources
from idleq.simulator.costs import equal_costs
from idleq.simulator.guestload import GuestStream, always_enough, guest_stream
from idleq.simulator.harm import over_bound
from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing import easy, replay
from idleq.simulator.strategies import Outcome, Site, Strategy
from idleq.simulator.synthetic import Stream, synthetic
from support.trials import tried

SECOND = 1000
DAY = 86_400 * SECOND
NODE = Resources(1, 1)


def jobs() -> list[MainJob]:
    stream = Stream(nodes=10, load=0.7, sizes={1: 6, 2: 3, 5: 1}, mean_run_ms=3_600 * SECOND)
    found: list[MainJob] = []
    for job in synthetic(stream, 11):
        if job.submit > 4 * DAY:
            break
        found.append(job)
    return found


def outcomes(grace_s: int, cost_s: int) -> dict[Strategy, Outcome]:
    site = Site(nodes=10, node=NODE, jobs=jobs(), until=Millis(5 * DAY), grace_ms=Millis(grace_s * SECOND))
    return tried(site, Strategy, always_enough(NODE, 30), equal_costs(Millis(cost_s * SECOND)))


def test_without_grace_no_strategy_moves_a_main_job_and_the_oracle_is_best() -> None:
    found = outcomes(0, 60)
    alone = {job: start for job, start in replay(jobs(), 10, easy).items() if start <= 5 * DAY}
    assert all(outcome.main_starts == alone for outcome in found.values())
    harvest = {strategy: outcome.harvest or 0.0 for strategy, outcome in found.items()}
    assert harvest[Strategy.NONE] == harvest[Strategy.KILL] == 0
    assert harvest[Strategy.ORACLE] == max(harvest.values()) > 0.95
    assert harvest[Strategy.IDLEQ] > harvest[Strategy.PLANNED_END]
    assert harvest[Strategy.IDLEQ] > 0.99 * harvest[Strategy.YOUNG]


@pytest.mark.parametrize("grace_s", [30, 300])
def test_no_main_job_waits_longer_than_the_grace(grace_s: int) -> None:
    for outcome in outcomes(grace_s, 60).values():
        assert over_bound(outcome.waited) == []
        assert all(bound <= grace_s * SECOND for _, bound in outcome.waited.values())


def test_a_stream_of_guests_is_the_same_for_the_same_seed() -> None:
    stream = GuestStream(interval_ms=60_000, mean_run_ms=600_000, cores={1: 3, 2: 1}, memory_per_core=100)
    first = list(guest_stream(stream, Millis(DAY), seed=3))
    assert first == list(guest_stream(stream, Millis(DAY), seed=3)) != list(guest_stream(stream, Millis(DAY), seed=4))
    assert 1_200 < len(first) < 1_700
