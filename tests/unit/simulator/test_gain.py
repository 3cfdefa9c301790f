"""A scenario run: what must hold of its numbers."""

from dataclasses import replace
from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.simulator.errors import BadTrace, ImpossibleParameters
from idleq.simulator.gain import GainResult, run_scenario, stage_of
from idleq.simulator.gaincount import capacity_of, clipped, waits_of
from idleq.simulator.harvest import Harvest
from idleq.simulator.mainrun import MainSettings, run_main
from idleq.simulator.outages import Kind, Outage
from idleq.simulator.places import Places
from idleq.simulator.scenariokeys import scenario_of
from idleq.simulator.sources import load_trace
from idleq.simulator.stage import part_of, set_stage
from idleq.simulator.strategies import Strategy

SITE = "synthetic:nodes=16,jobs=80,load=0.7,hours=1,seed=3"
PARTS = ("main", "useful", "unsaved", "start", "thaw", "save", "freeze", "lost", "idle")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path, cache=tmp_path)


def run(places: Places, **given: object) -> GainResult:
    return run_scenario(scenario_of({"trace": SITE, "cost": 20, **given}), places)


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("site", [{}, {"node_cores": 4, "grace": 30}, {"node_cores": 4, "sharing": "nodes"}])
def test_the_shares_are_all_of_the_capacity_and_none_is_negative(
    places: Places, strategy: Strategy, site: dict[str, object]
) -> None:
    shares = dict(run(places, strategy=str(strategy), **site).gain.flat())
    parts = [shares[part] for part in PARTS]
    assert min(part for part in parts if part is not None) >= 0
    assert sum(part for part in parts if part is not None) == pytest.approx(1, abs=1e-9)


def test_without_guests_main_jobs_have_what_they_have_alone(places: Places) -> None:
    result = run(places, strategy="none")
    gain = result.gain
    assert gain.shares.main == pytest.approx(gain.site.main_alone)
    assert gain.shares.gained == pytest.approx(0, abs=1e-12)
    assert (gain.shares.overhead, gain.guests.segments) == (0, 0)
    assert result.recorded.starts == result.stage.starts
    assert (gain.main.wait_change_s, gain.main.found_guests) == (0, 0)


def test_without_a_grace_no_main_job_starts_later(places: Places) -> None:
    result = run(places, strategy="idleq")
    assert result.recorded.starts == result.stage.starts
    assert result.gain.main.found_guests > 0
    assert result.gain.main.harm_max_s == 0


def test_the_oracle_gains_most_and_killing_gains_nothing_of_guests_without_end(places: Places) -> None:
    harvests = {name: run(places, strategy=name).gain.shares.harvest or 0 for name in ("kill", "idleq", "oracle")}
    assert harvests["kill"] == 0
    assert 0.5 < harvests["idleq"] < harvests["oracle"] <= 1.001


def test_killed_guests_that_are_short_enough_are_done_and_run_as_long_as_they_are_expected_to(places: Places) -> None:
    gain = run(places, strategy="kill", guests="stream:interval=600,run=300,spread=0").gain
    assert gain.guests.guests_done > 0
    assert gain.guests.turnaround_s is not None
    assert gain.guests.turnaround_s >= 300
    assert gain.shares.useful > 0


def test_the_ledger_and_the_harvest_agree_on_what_survived(places: Places) -> None:
    from idleq.simulator.gain import _site, arrivals
    from idleq.simulator.strategies import prepared

    scenario = scenario_of({"trace": SITE, "cost": 20, "grace": 30})
    result, stage, harvest = run_scenario(scenario, places), stage_of(scenario, places), Harvest()
    experiment = prepared(
        _site(scenario, stage), Strategy.IDLEQ, arrivals(scenario, stage), scenario.costs, stage.gaps, (harvest,)
    )
    experiment.run(stage.until)
    experiment.take_stock()
    areas = result.recorded.ledger.pieces.areas([0, stage.until])
    useful = next(float(area[0]) for part, area in areas.items() if part.name == "USEFUL")
    assert useful == pytest.approx(harvest.useful_core_ms, rel=1e-9)


def test_the_same_scenario_gives_the_same_row_and_another_seed_another(places: Places) -> None:
    given = {"guests": "stream:interval=300,run=600", "shake": 60}
    assert run(places, **given).row() == run(places, **given).row()
    assert run(places, **given).row() != run(places, **given, seed=2).row()


def test_freezes_fail_by_the_scenarios_seed_unless_another_is_given(places: Places) -> None:
    fails: dict[str, object] = {"strategy": "oracle", "costs": {"freeze_fails": 0.5}}
    one, again, other = (run(places, **fails, seed=seed).gain for seed in (1, 1, 2))
    assert one == again != other
    given: dict[str, object] = {"strategy": "oracle", "costs": {"freeze_fails": 0.5, "failing_seed": 1}}
    assert run(places, **given, seed=1).gain == run(places, **given, seed=2).gain == one


def test_progress_is_told_up_to_the_end(places: Places) -> None:
    told: list[float] = []
    run_scenario(scenario_of({"trace": SITE}), places, told.append)
    assert told == sorted(told)
    assert told[-1] == 1


def test_windows_bound_what_main_jobs_wait(places: Places) -> None:
    gain = run(places, mode="window", window=600).gain
    assert gain.main.over_bound == 0
    assert 0 < gain.main.harm_max_s <= gain.main.harm_bound_s <= 600


@pytest.mark.parametrize("placement", ["lowest", "best-fit"])
def test_guests_and_the_run_without_them_place_main_jobs_alike(places: Places, placement: str) -> None:
    result = run(places, strategy="idleq", node_cores=4, placement=placement)
    stage, core_ms = result.stage, [0] * 4
    assert result.recorded.starts == stage.starts
    for node, since, until, cores in result.recorded.ledger.main_held():
        core_ms[node] += max(0, min(until, stage.until) - since) * cores
    for gap in stage.gaps:
        core_ms[gap.node] += gap.length_ms * gap.units
    assert core_ms == [4 * stage.until] * 4


def test_best_fit_makes_other_gaps_of_the_same_starts(places: Places) -> None:
    lowest, best = (
        set_stage(scenario_of({"trace": SITE, "node_cores": 4, "placement": one}), places)
        for one in ("lowest", "best-fit")
    )
    assert best.starts == lowest.starts
    assert best.gaps != lowest.gaps


FAILING: dict[str, object] = {"mtbf": 20, "repair": 2, "seed": 2}


@pytest.mark.parametrize("site", [{}, {"node_cores": 4, "sharing": "nodes", "mtbf": 5}, {"policy": "conservative"}])
def test_guests_and_the_run_without_them_see_the_same_outages(places: Places, site: dict[str, object]) -> None:
    alone, both = (run(places, strategy=one, **{**FAILING, **site}) for one in ("none", "idleq"))
    assert alone.stage.outages
    assert alone.recorded.starts == both.recorded.starts == alone.stage.starts
    assert alone.stage.starts != run(places, strategy="none", **{**FAILING, **site, "mtbf": None}).stage.starts
    for shares in (dict(one.gain.flat()) for one in (alone, both)):
        parts = [shares[part] or 0 for part in (*PARTS, "killed", "away")]
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(1, abs=1e-9)
        assert shares["main"] == pytest.approx(shares["main_alone"])
    assert both.gain.shares.useful > 0
    assert (alone.gain.shares.killed or 0) > 0
    assert (alone.gain.shares.away or 0) > 0


def test_the_utilisation_without_guests_is_that_of_the_main_queue_alone(places: Places) -> None:
    result = run(places, strategy="none", **FAILING)
    stage = result.stage
    outages = tuple(replace(one, begin=one.begin // 1000, until=one.until // 1000) for one in stage.outages)
    alone = run_main(stage.trace, MainSettings(outages=outages), places.machine_code)
    assert alone.restarts == len(stage.killed) > 0
    assert result.gain.site.main_alone == pytest.approx(alone.metrics.utilisation)


def test_a_file_of_outages_counts_on_the_logs_clock_and_nodes_are_away_with_any_of_their_processors(
    places: Places, tmp_path: Path
) -> None:
    file = tmp_path / "away.csv"
    given = {"trace": SITE, "node_cores": 4, "sharing": "nodes", "from": 0.25, "outages": str(file)}
    first = int(load_trace(SITE, places).table.submit[0])
    file.write_text(f"kind,from,until,nodes\ndrain,{first},{first + 9},0\ndrain,0,{first + 6 * 3600 + 50},3-4\n")
    outages = set_stage(scenario_of(given), places).outages
    assert outages == (Outage(kind=Kind.DRAIN, begin=0, until=50_000, processors=0b11),)


def test_what_a_failure_killed_holds_its_node_until_then_and_again_when_it_starts_anew(
    places: Places, tmp_path: Path
) -> None:
    log, file = tmp_path / "site.swf", tmp_path / "away.csv"
    log.write_text("; MaxProcs: 1\n1 0 0 100 1 -1 -1 1 100\n2 400 0 100 1 -1 -1 1 100\n")
    file.write_text("kind,from,until,nodes\noutage,60,80,0\n")
    result = run(places, trace=str(log), outages=str(file), strategy="none")
    assert result.recorded.starts == result.stage.starts == {1: 80_000, 2: 400_000}
    assert list(result.recorded.ledger.main_held()) == [
        (0, 0, 60_000, 1),
        (0, 80_000, 180_000, 1),
        (0, 400_000, 500_000, 1),
    ]
    assert result.stage.killed == [(0, 60_000, 1)]


@pytest.mark.parametrize("policy", ["fcfs", "easy-sjbf", "conservative", "compressing", "slurm"])
def test_every_policy_hosts_guests(places: Places, policy: str) -> None:
    result = run(places, policy=policy)
    assert result.gain.shares.useful > 0
    assert result.recorded.starts == result.stage.starts


def test_slurm_counts_seconds_though_the_world_counts_milliseconds(places: Places) -> None:
    from idleq.simulator.queueing import replay
    from idleq.simulator.queueing.slurm import SlurmLike, in_whole_minutes

    table = in_whole_minutes(part_of(load_trace(SITE, places), 0, None).table)
    in_seconds = replay(table.jobs(), 16, SlurmLike(16))
    stage = set_stage(scenario_of({"trace": SITE, "policy": "slurm"}), places)
    assert stage.starts == {job: 1000 * start for job, start in in_seconds.items()}


def test_a_part_of_a_trace_begins_at_its_own_zero(places: Places) -> None:
    whole = set_stage(scenario_of({"trace": SITE}), places)
    stage = set_stage(scenario_of({"trace": SITE, "from": 0.25, "days": 0.25}), places)
    first = [job for job in whole.jobs if 6 * 3600_000 <= job.submit < 12 * 3600_000]
    assert [(job.id, job.submit) for job in stage.jobs] == [(job.id, job.submit - 6 * 3600_000) for job in first]
    with pytest.raises(BadTrace, match="no jobs that can run in the part"):
        set_stage(scenario_of({"trace": SITE, "from": 1000}), places)


def test_whole_nodes_are_taken_where_main_jobs_share_none(places: Places) -> None:
    shared = set_stage(scenario_of({"trace": SITE, "node_cores": 4}), places)
    whole = set_stage(scenario_of({"trace": SITE, "node_cores": 4, "sharing": "nodes"}), places)
    assert [job.size for job in whole.jobs] == [-(-job.size // 4) for job in shared.jobs]
    assert {gap.units for gap in whole.gaps} == {1}


def test_a_machine_is_made_of_whole_nodes(places: Places) -> None:
    with pytest.raises(ImpossibleParameters, match="16 processors are not made of nodes of 5"):
        run(places, node_cores=5)


def test_the_jobs_that_count_end_in_the_measured_time_without_guests(places: Places) -> None:
    stage = set_stage(scenario_of({"trace": SITE}), places)
    assert 0 < len(stage.counted) < len(stage.jobs)
    assert len(waits_of(stage, stage.starts)) == len(stage.counted)
    assert stage.since < stage.until == Millis(stage.jobs[-1].submit)


@pytest.mark.parametrize(
    ("guests", "way_s"),
    [("enough:memory=1G", 2 * (20 + 50 * 1.074) + 1), ("stream:memory=2G,cores=1:1/4:1", 2 * (20 + 50 * 2.147) + 2)],
)
def test_what_could_be_harvested_is_less_by_what_the_size_of_a_guest_costs(
    places: Places, guests: str, way_s: float
) -> None:
    result = run(places, guests=guests, costs="thaw_per_gb=50,freeze_per_gb=50,bandwidth=1G,bytes=memory", node_cores=4)
    gaps = clipped(result.stage.gaps, result.stage.since, result.stage.until)
    could = sum(max(0.0, gap.length_ms - 1000 * way_s) * gap.units for gap in gaps)
    useful_core_ms = result.gain.shares.useful * capacity_of(result.scenario, result.stage)
    assert result.gain.shares.harvest == pytest.approx(useful_core_ms / could, rel=1e-3)
