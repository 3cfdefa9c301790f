"""What people say of outages, and when which nodes are away for it."""

from pathlib import Path
from random import Random

import pytest

from idleq.simulator.errors import BadOutages
from idleq.simulator.outages import Kind, Outage, failures
from idleq.simulator.outagesource import OutageSource, digest_of_outages


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "away.csv"
    path.write_text("kind,from,until,nodes\ndrain,500,600,5\noutage,10,100,0-2\nreservation,0,50,7\n")
    return path


def test_times_count_from_where_the_clock_begins_and_what_is_over_by_then_is_left_out(file: Path) -> None:
    assert OutageSource(file=file).outages(8, 0, 1000, zero=60) == (
        Outage(kind=Kind.OUTAGE, begin=0, until=40, processors=0b111),
        Outage(kind=Kind.DRAIN, begin=440, until=540, processors=0b100000),
    )


def test_a_node_is_away_with_any_of_its_processors(file: Path) -> None:
    nodes = [one.numbers() for one in OutageSource(file=file).outages(8, 0, 1000, node_cores=2)]
    assert nodes == [[3], [0, 1], [2]]


def test_whole_nodes_fail_by_chance_beside_what_the_file_says(file: Path) -> None:
    drawn = failures(4, 0, 10**6, 50, 4.0, seed=3)
    found = OutageSource(file=file, mtbf_hours=50, seed=3).outages(8, 0, 10**6, node_cores=2)
    assert len(found) == 3 + len(drawn) > 3
    assert set(drawn) <= set(found)
    assert [one.begin for one in found] == sorted(one.begin for one in found)


def test_failures_are_drawn_apart_from_what_else_the_same_seed_draws() -> None:
    for seed in range(5):
        first = failures(1, 0, 10**9, 1, 1, seed)[0].begin
        assert first != int(Random(seed).expovariate(1 / 3600))


def test_nothing_is_away_if_nobody_says_so() -> None:
    assert OutageSource().outages(8, 0, 10**6) == ()
    assert digest_of_outages(None) is None


def test_the_digest_tells_two_contents_of_a_file_apart(file: Path) -> None:
    before = digest_of_outages(file)
    file.write_text("kind,from,until,nodes\n")
    assert digest_of_outages(file) != before
    with pytest.raises(BadOutages, match="cannot be read"):
        digest_of_outages(file.with_name("none"))
