"""What people write for a scenario, and the scenario that it makes."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import JobSpec, Submission
from idleq.simulator.costkeys import COST_KEYS
from idleq.simulator.costs import GuestCosts, equal_costs
from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.estimates import Estimates
from idleq.simulator.guestload import GuestStream
from idleq.simulator.outagesource import OutageSource
from idleq.simulator.placement import Placement, SizeUnit
from idleq.simulator.scenario import Enough, JobFile, Scenario
from idleq.simulator.scenariokeys import KEYS, plain, scenario_of
from idleq.simulator.strategies import Strategy

EVERYTHING = {
    "trace": "small", "procs": 32, "from": 1.5, "days": 2, "policy": "slurm", "estimates": "model", "over": 2,
    "slurm": {"bf_interval": "60", "qos.1": "0.5"}, "tau": 60, "node_cores": 4, "sharing": "nodes",
    "placement": "best-fit",
    "guests": "stream:interval=60,run=20m,spread=0.5,cores=1:3/4:1,memory=512M,memory_spread=0.1",
    "cost": 30, "costs": {"freeze": 1.5, "freeze_per_gb": 2, "bytes": "memory", "bandwidth": "1G"},
    "grace": "1m", "mode": "window", "window": "30m", "strategy": "young", "seed": 7, "shake": 60,
}  # fmt: skip


def submissions_of(path: str) -> tuple[Submission, ...]:
    return (Submission(spec=JobSpec(name=path, argv=("x",), resources=Resources(1, 1))),)


def test_every_name_sets_what_it_names() -> None:
    costs = equal_costs(Millis(30_000))
    assert scenario_of(EVERYTHING) == Scenario(
        trace="small",
        procs=32,
        begin_days=1.5,
        days=2,
        policy="slurm",
        estimates=Estimates.MODEL,
        over=2,
        slurm={"bf_interval": "60", "qos.1": "0.5"},
        tau=60,
        node_cores=4,
        sharing=SizeUnit.NODES,
        placement=Placement.BEST_FIT,
        guests=GuestStream(
            interval_ms=60_000,
            mean_run_ms=1_200_000,
            spread=0.5,
            cores={1: 3.0, 4: 1.0},
            memory_per_core=512 * 2**20,
            memory_spread=0.1,
        ),
        costs=GuestCosts(
            launch_ms=costs.launch_ms,
            thaw_ms=costs.thaw_ms,
            freeze_ms=Millis(1500),
            freeze_ms_per_gb=2000,
            save_ms=costs.save_ms,
            bytes=None,
            bandwidth=2**30,
        ),
        grace_ms=Millis(60_000),
        mode=Mode.WINDOW,
        window_ms=Millis(1_800_000),
        strategy=Strategy.YOUNG,
        seed=7,
        shake_ms=Millis(60_000),
    )


OUTAGES = {"trace": "small", "outages": "away.toml", "mtbf": 5000, "repair": 8, "seed": 3}


def test_outages_come_from_a_file_and_by_chance() -> None:
    scenario = scenario_of(OUTAGES)
    assert scenario.outage_source == OutageSource(file=Path("away.toml"), mtbf_hours=5000, repair_hours=8, seed=3)
    assert scenario.has_outages
    assert not scenario_of({"trace": "small"}).has_outages


@pytest.mark.parametrize(
    "given", [{"trace": "small"}, EVERYTHING, OUTAGES, {"trace": "x", "guests": "enough:memory=1M"}]
)
def test_a_scenario_goes_through_json_and_back(given: dict[str, object]) -> None:
    scenario = scenario_of(given)
    assert scenario_of(json.loads(json.dumps(plain(scenario)))) == scenario


def test_a_job_file_is_read_by_whoever_may_read_files() -> None:
    scenario = scenario_of({"trace": "small", "guests": "jobs.toml"}, submissions_of)
    assert scenario.guests == JobFile(path="jobs.toml", submissions=submissions_of("jobs.toml"))
    assert plain(scenario)["guests"] == "jobs.toml"
    with pytest.raises(ImpossibleParameters, match="job files cannot be read here"):
        scenario_of({"trace": "small", "guests": "jobs.toml"})


def test_the_command_lines_dashes_are_the_files_underscores() -> None:
    assert scenario_of({"trace": "x", "node-cores": 2}) == scenario_of({"trace": "x", "node_cores": "2"})


def test_every_attribute_and_every_cost_has_a_name() -> None:
    assert {key.field for key in KEYS.values()} == {one.name for one in fields(Scenario)}
    assert {key.field for key in COST_KEYS.values()} == {one.name for one in fields(GuestCosts)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "a scenario needs a trace"),
        ({"straetgy": "none"}, "there is no key 'straetgy'; did you mean 'strategy'?"),
        ({"strategy": "best"}, "strategy: it may be none, kill, planned-end, young, idleq, oracle, not 'best'"),
        ({"policy": "best"}, "policy: it may be fcfs, easy, .*, not 'best'"),
        ({"cost": -1}, "cost: it is at least 0 and at most 10000000000, not -1"),
        ({"cost": "nan"}, "cost: it is at least 0"),
        ({"costs": "freeze"}, "costs: it is KEY=VALUE,KEY=VALUE,..., and 'freeze' is no KEY=VALUE"),
        ({"costs": "freeze=1,freeze=2"}, "costs: freeze is given twice"),
        ({"costs": {"freezes": 1}}, "costs: there is no key 'freezes'; did you mean 'freeze'?"),
        ({"costs": {"bandwidth": 0}}, "costs: bandwidth: it is more than 0 bytes a second, or unlimited"),
        ({"grace": True}, "grace: it is a number, not True"),
        ({"grace": "5x"}, "grace: '5x' is not a duration"),
        ({"days": 0}, "days: it is at least 0.01"),
        ({"node_cores": 1.5}, "node_cores: it is a whole number, not 1.5"),
        ({"slurm": {"bf_intervall": 1}}, "--slurm has no bf_intervall"),
        ({"slurm": "x"}, "slurm: it is a table of settings"),
        ({"guests": "stream:interval=0"}, "guests: interval: it is longer than 0 seconds, not 0"),
        ({"guests": "stream:cores=1:0"}, "guests: cores: one of the weights is above 0"),
        ({"guests": "enough:memory=0"}, "guests: memory: it is more than nothing, not 0"),
        (
            {"guests": "enough:cores=2"},
            "guests that ask for 2 cores and 2147483648 bytes never fit on a node of 1 cores",
        ),
        ({"placement": "best"}, "placement: it may be lowest, best-fit, not 'best'"),
        ({"mtbf": 0}, "mtbf: it is at least 0.001"),
        (
            {"mtbf": 5, "semantics": "per-event"},
            "outages, and memory of main jobs that share nodes, go with per-timestamp",
        ),
        ({"outages": "away.toml", "node_cores": 4}, "let main jobs take whole nodes"),
        ({"guests": 5}, "guests: it is a text, not 5"),
        ({"window": 0}, "window: it is longer than 0 seconds, not 0"),
    ],
)
def test_what_cannot_be_is_refused_and_says_what_can(given: dict[str, object], message: str) -> None:
    with pytest.raises(ImpossibleParameters, match=message):
        scenario_of(given if not given else {"trace": "small", **given})


def test_the_default_is_enough_guests_of_one_core_on_nodes_of_one_processor() -> None:
    scenario = scenario_of({"trace": "small"})
    assert (scenario.guests, scenario.node) == (Enough(), Resources(1, 2**30))
