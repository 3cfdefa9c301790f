"""Harm over shaken replications, on a small site."""

from pathlib import Path

import pytest

from idleq.simulator.gain import run_scenario
from idleq.simulator.gaincount import MainSums
from idleq.simulator.harm import interval
from idleq.simulator.places import Places
from idleq.simulator.scenariokeys import scenario_of
from idleq.simulator.strategies import Strategy
from idleq.simulator.study.comparison import Comparison, compare

MINUTE, HOUR = 60, 3_600
COST_S = 20


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", cache=tmp_path / "cache")


def log(tmp_path: Path, jobs: list[tuple[int, int, int]]) -> str:
    path = tmp_path / "log.swf"
    rows = enumerate(jobs, start=1)
    path.write_text("\n".join(f"{n} {at} 0 {run} {size} -1 -1 {size} {3 * run}" for n, (at, run, size) in rows))
    return str(path)


def study(tmp_path: Path, places: Places, *, seed: int = 1, **given: object) -> Comparison:
    runs = enumerate([7, 30, 13, 50, 4, 21] * 5)
    trace = log(tmp_path, [(number * 20 * MINUTE, run * MINUTE, 1 + number % 3) for number, run in runs])
    site = {"trace": trace, "procs": 4, "cost": COST_S, "shake": MINUTE, "seed": seed}
    return compare(scenario_of(site | given), (Strategy.IDLEQ,), 3, places)


def main_sums(found: Comparison) -> list[MainSums]:
    return [gain.main for gain in found.gains[Strategy.IDLEQ]]


def test_without_grace_not_one_main_job_moves_in_any_replication(tmp_path: Path, places: Places) -> None:
    found = study(tmp_path, places)
    sums = main_sums(found)
    assert [(one.wait_change_s, one.slowdown_change, one.harm_max_s, one.over_bound) for one in sums] == [
        (0, 0, 0, 0)
    ] * 3
    assert all(one.found_guests for one in sums)
    first = found.first[Strategy.IDLEQ]
    assert first.recorded.starts == first.stage.starts


def test_with_grace_main_jobs_wait_for_freezes_and_no_longer_than_the_grace(tmp_path: Path, places: Places) -> None:
    found = study(tmp_path, places, grace=30)
    sums = main_sums(found)
    assert [(one.harm_max_s, one.harm_bound_s, one.over_bound) for one in sums] == [(COST_S, 30, 0)] * 3
    change = found.interval(Strategy.IDLEQ, "wait_change_s")
    assert change == interval([one.wait_change_s for one in sums])
    assert change.mean > 0


def test_in_windows_main_jobs_wait_longer_and_no_longer_than_a_window(tmp_path: Path, places: Places) -> None:
    sums = main_sums(study(tmp_path, places, mode="window", window=HOUR))
    assert all(30 < one.harm_max_s <= one.harm_bound_s <= HOUR and not one.over_bound for one in sums)


def test_the_same_seeds_give_the_same_and_others_do_not(tmp_path: Path, places: Places) -> None:
    first, again, other = (main_sums(study(tmp_path, places, grace=30, seed=seed)) for seed in (1, 1, 3))
    assert first == again != other


def test_a_main_job_that_starts_after_the_end_counts_with_what_it_waited_for_guests(
    tmp_path: Path, places: Places
) -> None:
    trace = log(tmp_path, [(0, 100, 1), (500, 100, 1)])
    result = run_scenario(scenario_of({"trace": trace, "procs": 1, "cost": COST_S, "grace": 30}), places)
    assert result.stage.until == 500_000
    assert result.recorded.starts == {1: 0, 2: 520_000}
    main = result.gain.main
    assert (main.found_guests, main.harm_s, main.harm_max_s, main.harm_bound_s) == (1, COST_S, COST_S, 30)
