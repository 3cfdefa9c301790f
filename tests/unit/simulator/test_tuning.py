"""How idleq is set up for guests of known costs: the first freeze is in time, however large the snapshot."""

from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import JobSpec
from idleq.simulator.costs import GB, GuestCosts, equal_costs
from idleq.simulator.gain import run_scenario
from idleq.simulator.guestload import always_enough
from idleq.simulator.harvest import IdleGap
from idleq.simulator.places import Places
from idleq.simulator.scenariokeys import scenario_of
from idleq.simulator.strategies import Strategy
from idleq.simulator.tuning import NOBODY_WAITS, closing_together, engine_policy, least_cost_ms, specs_in

SMALL, LARGE = (JobSpec(name=f"{size}", argv=("w",), resources=Resources(1, size * GB)) for size in (1, 4))


@pytest.mark.parametrize("guests", ["enough", "stream:interval=100,run=9000,memory_spread=0.3"])
@pytest.mark.parametrize(
    ("costs", "node_cores"),
    [
        ("freeze_per_gb=4,bytes=2G", 4),
        ("freeze_per_gb=20,thaw_per_gb=20,save_per_gb=20,bytes=memory", 4),
        ("bandwidth=500M,bytes=1G", 1),
    ],
)
def test_whatever_a_freeze_waits_for_the_oracle_gains_most_and_idleq_something(
    tmp_path: Path, costs: str, node_cores: int, guests: str
) -> None:
    given = {
        "trace": "synthetic:nodes=16,jobs=80,load=0.7,hours=1,seed=3",
        "cost": 20,
        "costs": costs,
        "node_cores": node_cores,
        "guests": guests,
    }
    places = Places(data=tmp_path, cache=tmp_path)
    found = {
        name: run_scenario(scenario_of({**given, "strategy": name}), places).gain
        for name in (Strategy.PLANNED_END, Strategy.IDLEQ, Strategy.ORACLE)
    }
    useful = {name: gain.shares.useful for name, gain in found.items()}
    assert useful[Strategy.ORACLE] > useful[Strategy.IDLEQ] > useful[Strategy.PLANNED_END] > 0
    oracle = found[Strategy.ORACLE]
    assert oracle.shares.lost < 0.1 * oracle.shares.useful


def test_what_is_not_measured_yet_costs_what_it_does_for_the_largest_guest() -> None:
    costs = GuestCosts(
        freeze_ms=Millis(100), freeze_ms_per_gb=250, thaw_ms=Millis(10), thaw_ms_per_gb=7, bytes=None, bandwidth=4 * GB
    )
    policy = engine_policy(Millis(0), costs, (SMALL, LARGE), together=3)
    assert policy.freeze_ms == costs.freeze_of(LARGE, 3) == 100 + 4 * (250 + 3 * 250)
    assert policy.thaw_ms == costs.thaw_of(LARGE) == 10 + 4 * 7
    assert (policy.bandwidth, policy.shared_bandwidth, policy.writers) == (2 * GB, 4 * GB, 2)
    assert least_cost_ms(costs, (SMALL, LARGE)) == 10 + 7 + 100 + 250 + 250
    assert policy.min_gap_ms == 2 * (10 + 7 + 100 + 250 + 250 + 1000)


def test_where_nothing_is_shared_freezes_need_not_follow_each_other() -> None:
    policy = engine_policy(Millis(0), equal_costs(Millis(500)), (SMALL,))
    assert (policy.freeze_ms, policy.thaw_ms) == (500, 500)
    assert (policy.bandwidth, policy.shared_bandwidth) == (NOBODY_WAITS, 0)


def test_a_site_is_set_up_for_so_many_nodes_as_hardly_ever_more_close_together() -> None:
    alone = [IdleGap(0, Millis(0), Millis(at), 1) for at in range(1, 91)]
    both = [IdleGap(node, Millis(0), Millis(1000), 1) for node in range(7)]
    all_of_them = [IdleGap(node, Millis(0), Millis(2000), 2) for node in range(3)]
    assert closing_together([*alone, *both, *all_of_them]) == 7
    assert closing_together([*alone, *alone]) == 1
    assert closing_together([*alone, *both[:4]]) == 1
    assert closing_together([]) == 1


def test_guests_that_no_node_holds_count_for_nothing() -> None:
    arrivals = always_enough(SMALL.resources, 5) + always_enough(LARGE.resources, 2)
    assert [spec.resources for spec in specs_in(arrivals, Resources(1, 2 * GB))] == [SMALL.resources]
