import re
from pathlib import Path

import pytest

from idleq.simulator.errors import BadOutages, ImpossibleParameters
from idleq.simulator.jobs import MainJob
from idleq.simulator.outagerun import OutageRun
from idleq.simulator.outages import Kind, Outage, failures, read_outages
from idleq.simulator.queueing.around import evading
from idleq.simulator.queueing.catalog import POLICIES


def job(number: int, *, submit: int = 0, run: int = 10, limit: int | None = None, size: int = 1) -> MainJob:
    return MainJob(id=number, submit=submit, run=run, limit=run if limit is None else limit, size=size)


def away(kind: Kind, begin: int, until: int, processors: int) -> Outage:
    return Outage(kind=kind, begin=begin, until=until, processors=processors)


def run_around(jobs: list[MainJob], processors: int, outages: list[Outage], policy: str = "easy") -> OutageRun:
    return OutageRun(jobs, processors, outages, evading(policy, processors, outages)).finish()


def test_a_failure_kills_what_it_hits_and_the_job_starts_anew() -> None:
    run = run_around([job(1, run=10, size=2), job(2, run=20, size=2)], 4, [away(Kind.OUTAGE, 5, 8, 0b0001)])
    assert (run.starts, run.restarts, run.lost) == ({1: 8, 2: 0}, 1, 10)


def test_a_job_that_ends_in_the_second_of_a_failure_has_ended() -> None:
    run = run_around([job(1, run=5)], 1, [away(Kind.OUTAGE, 5, 8, 0b1)])
    assert (run.starts, run.restarts) == ({1: 0}, 0)


def test_a_drain_lets_jobs_end_and_starts_nothing_there() -> None:
    jobs = [job(1, run=10, size=2), job(2, submit=4, run=3, size=1), job(3, submit=5, size=2)]
    run = run_around(jobs, 2, [away(Kind.DRAIN, 3, 30, 0b11)])
    assert (run.starts, run.restarts) == ({1: 0, 2: 30, 3: 33}, 0)


@pytest.mark.parametrize("policy", POLICIES)
def test_under_every_policy_what_is_hit_begins_anew_and_nothing_is_started_where_nothing_is(policy: str) -> None:
    jobs = [job(1, run=10, size=2, limit=60), job(2, submit=4, run=3, size=1), job(3, submit=5, run=4, size=2)]
    run = run_around(jobs, 2, [away(Kind.OUTAGE, 6, 30, 0b01), away(Kind.RESERVATION, 100, 200, 0b11)], policy)
    # One processor is left from 6 on: only the second job could have it, but for fcfs; then all have room from 30 on.
    # A compressing queue keeps the plan that the third has by then, and plans the killed one behind it.
    second = {"fcfs": 40, "slurm": 40}.get(policy, 6)
    first = 34 if policy == "compressing" else 30
    assert (run.starts[1], run.starts[2], run.restarts, run.lost) == (first, second, 1, 12)


@pytest.mark.parametrize("policy", POLICIES)
def test_under_every_policy_no_job_is_started_into_a_reservation(policy: str) -> None:
    run = run_around(
        [job(1, run=2, limit=11), job(2, run=2, limit=10)], 1, [away(Kind.RESERVATION, 10, 20, 0b1)], policy
    )
    assert run.starts[1] == 20


def test_no_job_is_started_that_could_run_into_a_reservation() -> None:
    jobs = [job(1, run=2, limit=11, size=1), job(2, run=2, limit=10, size=1), job(3, run=2, limit=11, size=2)]
    run = run_around(jobs, 2, [away(Kind.RESERVATION, 10, 20, 0b01)])
    assert run.starts == {1: 0, 2: 0, 3: 20}


def test_toml_and_csv_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        '[[outage]]\nfrom = 5\nuntil = 9\nnodes = "0-1, 3"\n[[drain]]\nfrom = 1\nuntil = 2\nprocessors = 2\n'
    )
    (tmp_path / "a.csv").write_text('kind,from,until,processors,nodes\noutage,5,9,,"0-1,3"\ndrain,1,2,2,\n')
    expected = [away(Kind.DRAIN, 1, 2, 0b1100), away(Kind.OUTAGE, 5, 9, 0b1011)]
    assert read_outages(tmp_path / "a.toml", 4) == read_outages(tmp_path / "a.csv", 4) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[outag]]\nfrom = 1\n", "there is no 'outag': a file has tables [[outage]], [[drain]], [[reservation]]"),
        ("[outage]\nfrom = 1\n", "write [[outage]]"),
        ("outage = [5]\n", "write [[outage]]"),
        ("outage = 5\n", "write [[outage]]"),
        ("[[outage]]\nfrom = 1\nuntil = inf\nnodes = '1'\n", "until is whole seconds on the log's clock, not inf"),
        ("[[outage]]\nfrom = 1\nuntil = 2\nprocessors = true\n", "True of 4 processors"),
    ],
)
def test_a_table_of_another_name_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(BadOutages, match=re.escape(message)):
        read_outages(tmp_path / "a.toml", 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "kind,from,until,processors\nstorm,1,2,1\n",
            "entry 1: its kind may be outage, drain, reservation, not 'storm'",
        ),
        ("kind,from,until,processors\noutage,2,2,1\n", "it goes from 2 until 2"),
        ("kind,from,until,processors\noutage,1,2,5\n", "5 of 4 processors"),
        ("kind,from,until\noutage,1,2\n", "either processors"),
        ("kind,from,until,nodes\noutage,1,2,2-9\n", "nodes 2-9 of a machine that has 0-3"),
        (
            "kind,from,until,nodes,colour\noutage,1,2,1,red\n",
            "there is no colour in an entry: it has from, kind, nodes, processors, until",
        ),
        ("kind,until,nodes\noutage,2,1\n", "it lacks 'from'"),
        ("kind,from,until,nodes\noutage,x,2,1\n", "from is whole seconds on the log's clock, not x"),
        ("kind,from,until,nodes\n", "has no outage, drain or reservation in it"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "away.csv"
    path.write_text(text)
    with pytest.raises(BadOutages, match=message):
        read_outages(path, 4)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(BadOutages, match=rf"^{path} cannot be read: No such file or directory$"):
        read_outages(path, 4)


def test_failures_come_as_often_as_they_should_and_alike_for_the_same_seed() -> None:
    drawn = failures(100, 0, 10_000 * 3600, mtbf_hours=1000, repair_hours=5, seed=1)
    down = sum(one.until - one.begin for one in drawn) / len(drawn)

    assert drawn == failures(100, 0, 10_000 * 3600, mtbf_hours=1000, repair_hours=5, seed=1)
    assert len(drawn) == pytest.approx(1000, rel=0.1)
    assert down == pytest.approx(5 * 3600, rel=0.1)
    assert all(one.processors.bit_count() == 1 and one.begin < one.until for one in drawn)


def test_impossible_failures_are_refused() -> None:
    with pytest.raises(ImpossibleParameters):
        failures(4, 0, 10, mtbf_hours=0, repair_hours=1, seed=1)
