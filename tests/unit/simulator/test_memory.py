"""Main jobs that need memory, from a log's columns to the nodes that they get."""

from pathlib import Path

import pytest

from idleq.scheduler.core.resources import Resources
from idleq.simulator.errors import BadTrace, ImpossibleParameters
from idleq.simulator.gain import run_scenario
from idleq.simulator.jobmemory import TOO_MUCH, in_whole_nodes, with_memory
from idleq.simulator.jobs import MainJob
from idleq.simulator.placement import Placement, SizeUnit
from idleq.simulator.places import Places
from idleq.simulator.queueing import replay
from idleq.simulator.queueing.fitting import Fitting
from idleq.simulator.scenario import Scenario
from idleq.simulator.scenariokeys import plain, scenario_of
from idleq.simulator.stage import set_stage
from idleq.simulator.swf import clean, parse_swf
from idleq.simulator.table import table_of
from idleq.simulator.trace import Dropped, trace_of

GB = 2**30


def job(number: int, size: int, memory: int, submit: int = 0, run: int = 10) -> MainJob:
    return MainJob(id=number, submit=submit, run=run, limit=run, size=size, memory=memory)


def test_memory_is_what_was_requested_else_what_was_used_else_unknown() -> None:
    columns = "{} 0 0 10 1 -1 {} 1 10 {} 1 1 1 1 1 1 -1 -1"
    rows = [columns.format(1, 5, 7), columns.format(2, 5, -1), columns.format(3, -1, 0), columns.format(4, 2**52, -1)]
    table = clean(parse_swf(rows), 4).table
    assert table.memory.tolist() == [7 * 1024, 5 * 1024, -1, 2**60]
    assert [one.memory for one in table.jobs()] == table.memory.tolist()


def test_what_no_node_has_room_for_is_left_out_and_the_unknown_goes_with_the_cores() -> None:
    jobs = [job(1, 8, 100), job(2, 8, 101), job(3, 1, 401), job(4, 4, -1)]
    trace = with_memory(trace_of(8, jobs), node_cores=4, memory=400)
    assert trace.table.jobs() == (job(1, 8, 100), job(4, 4, 100))
    assert trace.dropped == (Dropped(None, 2, TOO_MUCH), Dropped(None, 3, TOO_MUCH))
    with pytest.raises(BadTrace, match="give them more memory"):
        with_memory(trace_of(8, jobs[2:3]), node_cores=4, memory=400)


def test_where_nodes_are_whole_a_job_takes_as_many_as_its_memory_needs() -> None:
    table = table_of([job(1, 8, 100), job(2, 8, 150), job(3, 3, 400), job(4, 1, 0)])
    assert in_whole_nodes(table, 4, 400).size.tolist() == [2, 4, 3, 1]
    assert in_whole_nodes(table, 4, None).size.tolist() == [2, 2, 1, 1]


def test_a_job_waits_for_memory_though_cores_are_free_and_a_smaller_one_overtakes_it() -> None:
    jobs = [job(1, 1, 300, run=50), job(2, 2, 300, submit=1), job(3, 3, 30, submit=2, run=40), job(4, 3, 60, submit=3)]
    two = [Resources(4, 400)] * 2
    assert replay(jobs, 8, Fitting(two, "easy")) == {1: 0, 2: 50, 3: 2, 4: 3}
    # In order nobody passes the second, which waits for the memory of two nodes.
    assert replay(jobs, 8, Fitting(two, "fcfs")) == {1: 0, 2: 50, 3: 50, 4: 60}


def test_whoever_outlasts_the_start_of_the_first_leaves_it_memory_enough() -> None:
    jobs = [job(1, 1, 300, run=50), job(2, 2, 300, submit=1), job(3, 1, 150, submit=2, run=60)]
    two = [Resources(4, 400)] * 2
    assert replay(jobs, 8, Fitting(two, "easy")) == {1: 0, 2: 50, 3: 60}


def test_best_fit_fills_the_node_that_has_the_least_room_for_the_job() -> None:
    first, second = job(1, 1, 300, run=50), job(2, 1, 100, submit=1)
    fitting = Fitting([Resources(4, 200), Resources(4, 400)], "easy", Placement.BEST_FIT)
    chosen = {}
    for one in (first, second):
        assert fitting([one], 0, [], one.submit) == [0]
        chosen[one.id] = fitting.chosen(one)
        fitting.started(one, one.submit)
    assert chosen == {1: ((1, 1),), 2: ((1, 1),)}


def scenario(path: Path, **given: object) -> Scenario:
    return scenario_of({"trace": str(path), "procs": 8, "node_cores": 4, "guests": "enough:memory=1K", **given})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Memory in kilobytes for each processor."""
    rows = [(0, 100, 4, 90), (10, 50, 2, 300), (20, 30, 3, 10), (30, 200, 8, 50), (400, 10, 1, -1)]
    path = tmp_path / "log.swf"
    path.write_text(
        "\n".join(f"{n} {at} 0 {run} {size} -1 -1 {size} {run} {kb}" for n, (at, run, size, kb) in enumerate(rows, 1))
    )
    return path


def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", cache=tmp_path / "cache")


def test_memory_moves_starts_only_where_it_is_given(log: Path, tmp_path: Path) -> None:
    def starts(**given: object) -> list[int]:
        return [at // 1000 for _, at in sorted(set_stage(scenario(log, **given), places(tmp_path)).starts.items())]

    assert starts() == starts(memory="1G") == [0, 10, 60, 100, 400]
    # Two processes of 300 KB need a node each, one of which is full: the third job would fit, and overtakes.
    assert starts(memory="400K") == [0, 100, 20, 150, 400]
    assert starts(memory="400K", sharing="nodes") == [0, 100, 20, 150, 400]
    assert starts(sharing="nodes") == [0, 10, 60, 100, 400]


def test_guests_get_the_memory_and_the_gpus_that_main_jobs_leave(log: Path, tmp_path: Path) -> None:
    def useful(guests: str, **given: object) -> float:
        asked = scenario(log, guests=guests, cost=1, strategy="oracle", **given)
        return run_scenario(asked, places(tmp_path)).gain.shares.useful

    small = useful("enough:cores=1,memory=1K", memory="400K")
    assert 0 < useful("enough:cores=1,memory=200K", memory="400K") < small
    # A GPU a node: one guest there, and only while no main job holds a part of it.
    assert 0 < useful("enough:cores=1,memory=1K,gpus=1", memory="400K", gpus=1) < small / 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"policy": "slurm"}, "goes with fcfs, easy, easy-sjbf, conservative, not with slurm"),
        ({"guests": "enough:memory=500K"}, "never fit on a node of 4 cores and 409600 bytes"),
        ({"guests": "enough:memory=1K,gpus=1"}, "and 1 GPUs never fit"),
        ({"memory": "0"}, "memory: it is more than nothing"),
    ],
)
def test_what_cannot_be_is_said(log: Path, given: dict[str, object], message: str) -> None:
    with pytest.raises(ImpossibleParameters, match=message):
        scenario(log, **{"memory": "400K", **given})


def test_memory_and_gpus_read_as_they_are_written(log: Path) -> None:
    asked = scenario(log, memory="4G", gpus=2, guests="stream:gpus=1", sharing="nodes")
    assert (asked.node, asked.sharing) == (Resources(4, 4 * GB, 2), SizeUnit.NODES)
    assert scenario_of(plain(asked)) == asked
    assert plain(asked)["guests"].endswith(",gpus=1")
