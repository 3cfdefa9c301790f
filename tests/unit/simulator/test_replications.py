"""Harm over shaken replications, on a small site."""

import pytest

from idleq.ids import Millis
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.resources import Resources
from idleq.simulator.costs import equal_costs
from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.guestload import always_enough
from idleq.simulator.harm import interval
from idleq.simulator.jobs import MainJob
from idleq.simulator.replications import HarmStudy, harm_of
from idleq.simulator.strategies import Site, Strategy

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
ONE = Resources(1, 1)
JOBS = tuple(
    MainJob(id=number, submit=number * 20 * MINUTE, run=run * MINUTE, limit=3 * run * MINUTE, size=1 + number % 3)
    for number, run in enumerate([7, 30, 13, 50, 4, 21] * 5)
)


def study(grace_ms: int, seeds: range = range(1, 6), mode: Mode = Mode.PREEMPTIBLE) -> HarmStudy:
    site = Site(
        nodes=4,
        node=ONE,
        jobs=JOBS,
        until=Millis(14 * HOUR),
        grace_ms=Millis(grace_ms),
        mode=mode,
        longest_ms=Millis(HOUR),
    )
    return harm_of(site, Strategy.IDLEQ, always_enough(ONE, 12), equal_costs(Millis(20 * SECOND)), seeds=seeds)


def test_without_grace_not_one_main_job_moves_in_any_replication() -> None:
    found = study(0)
    assert [(one.seed, one.mean_delay_ms, one.moved, one.longest_wait_ms) for one in found.replications] == [
        (seed, 0.0, 0, 0) for seed in range(1, 6)
    ]
    assert (found.delay_ms.mean, found.delay_ms.half_width, found.longest_wait_ms) == (0.0, 0.0, 0)
    assert all(one.harvest for one in found.replications)


def test_with_grace_main_jobs_wait_for_freezes_and_no_longer_than_the_grace() -> None:
    found = study(30 * SECOND)
    assert found.longest_wait_ms == 20 * SECOND
    assert [one.over_bound for one in found.replications] == [[]] * 5
    assert {bound for one in found.replications for _, bound in one.waited.values()} == {30 * SECOND}
    assert found.delay_ms == interval([one.mean_delay_ms for one in found.replications])
    assert found.delay_ms.mean > 0


def test_in_windows_main_jobs_wait_longer_and_no_longer_than_a_window() -> None:
    found = study(0, mode=Mode.WINDOW)
    assert 30 * SECOND < found.longest_wait_ms <= HOUR
    assert [one.over_bound for one in found.replications] == [[]] * 5
    assert all(bound <= HOUR for one in found.replications for _, bound in one.waited.values())


def test_the_same_seeds_give_the_same_and_others_do_not() -> None:
    assert study(30 * SECOND, range(1, 3)) == study(30 * SECOND, range(1, 3)) != study(30 * SECOND, range(3, 5))


def test_no_seeds_are_no_study() -> None:
    with pytest.raises(ImpossibleParameters, match="at least one replication"):
        study(0, range(0))
