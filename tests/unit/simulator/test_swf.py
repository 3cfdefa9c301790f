import gzip
from pathlib import Path

import pytest

from idleq.simulator.errors import BadTrace
from idleq.simulator.jobs import MainJob
from idleq.simulator.swf import clean, parse_swf, read_swf
from idleq.simulator.trace import Dropped

TAIL = "-1 -1 1 1 1 -1 -1 -1 -1 -1"


def row(job: int, submit: int, run: int, allocated: int, requested: int, estimate: int) -> str:
    return f"{job} {submit} 0 {run} {allocated} -1 -1 {requested} {estimate} {TAIL}"


def test_rows_come_out_by_submit_time_and_ties_stay_in_file_order() -> None:
    log = parse_swf(["; MaxProcs: 8", row(3, 50, 5, 1, 1, 9), row(2, 10, 5, 1, 1, 9), row(1, 10, 5, 1, 1, 9)])
    assert [job.id for job in clean(log).jobs] == [2, 1, 3]


def test_every_line_left_out_is_named_with_its_reason() -> None:
    lines = [
        "; Version: 2.2",
        row(1, 0, 5, 9, 2, 9),
        row(2, 0, 5, -1, -1, 9),
        row(3, 0, 0, 1, 1, 9),
        row(4, 0, 5, 1, 1, -1),
        row(5, -1, 5, 1, 1, 9),
        "6 0 0",
        "seven 0 0 5 1 -1 -1 1 9",
        row(8, 0, 5, 1, 1, 9),
        row(8, 1, 5, 1, 1, 9),
        "",
    ]
    trace = clean(parse_swf(lines), processors=8)
    assert trace.dropped == (
        Dropped(2, 1, "larger than the machine"),
        Dropped(3, 2, "no number of processors"),
        Dropped(4, 3, "no run time"),
        Dropped(5, 4, "no time limit"),
        Dropped(6, 5, "no submit time"),
        Dropped(7, None, "fewer than 9 columns"),
        Dropped(8, None, "a column is not a number"),
        Dropped(10, 8, "its number came before"),
    )
    assert [job.id for job in trace.jobs] == [8]


def test_requested_processors_go_before_allocated_and_a_run_ends_at_its_limit() -> None:
    trace = clean(parse_swf([row(1, 0, 50, 4, 2, 9), row(2, 0, 3, 4, -1, 9)]), processors=8)
    assert trace.jobs == (
        MainJob(id=1, submit=0, run=9, limit=9, size=2, user=1),
        MainJob(id=2, submit=0, run=3, limit=9, size=4, user=1),
    )


def test_more_columns_and_whole_numbers_written_with_a_fraction_are_read() -> None:
    trace = clean(parse_swf([row(1, 0, 5, 1, 1, 9).replace(" 5 ", " 5.0 ") + " 77 88"]), processors=4)
    assert trace.jobs == (MainJob(id=1, submit=0, run=5, limit=9, size=1, user=1),)


def test_jobs_without_a_number_get_those_that_follow_the_others() -> None:
    log = parse_swf([row(-1, 3, 5, 1, 1, 9), row(7, 2, 5, 1, 1, 9), row(-1, 1, 5, 1, 1, 9)])
    trace = clean(log, processors=1)
    assert ([(job.id, job.submit) for job in trace.jobs], trace.dropped) == ([(9, 1), (7, 2), (8, 3)], ())


def test_a_run_of_more_than_a_hundred_years_is_none() -> None:
    log = parse_swf([row(1, 0, 10**12, 1, 1, 10**12), row(2, 0, 5, 1, 1, 9)])
    assert clean(log, 1).dropped == (Dropped(1, 1, "a run of more than 100 years"),)


@pytest.mark.parametrize("header", ["; MaxProcs: 8", ";maxprocs:8", "\ufeff; MaxProcs: 8"])
def test_the_machines_size_is_found_however_the_header_is_written(tmp_path: Path, header: str) -> None:
    (tmp_path / "log.swf").write_text(f"{header}\n{row(1, 0, 5, 1, 1, 9)}\n")
    assert read_swf(tmp_path / "log.swf").processors == 8


def test_a_size_that_is_no_number_or_too_large_is_none() -> None:
    assert parse_swf(["; MaxProcs: ²", row(1, 0, 5, 1, 1, 9)]).processors is None
    with pytest.raises(BadTrace, match="99999999999999999999 processors: up to 10000000"):
        clean(parse_swf(["; MaxProcs: 99999999999999999999", row(1, 0, 5, 1, 1, 9)]))


def test_a_gzipped_file_is_read_like_a_plain_one(tmp_path: Path) -> None:
    text = "; MaxNodes: 4\n" + row(1, 0, 5, 1, 1, 9) + "\n"
    (tmp_path / "plain.swf").write_text(text)
    (tmp_path / "packed.swf").write_bytes(gzip.compress(text.encode()))
    plain, packed = clean(read_swf(tmp_path / "plain.swf")), clean(read_swf(tmp_path / "packed.swf"))
    assert plain.jobs == packed.jobs
    assert plain.processors == 4


@pytest.mark.parametrize("content", [b"", b"; only: a header\n", b"id,submit\n1,2\n", b"\x1f\x8bnot gzip"])
def test_a_file_without_one_job_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace"
    path.write_bytes(content)
    with pytest.raises(BadTrace, match="trace"):
        read_swf(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match="cannot be read"):
        read_swf(tmp_path / "nowhere.swf")


def test_a_trace_without_a_machine_size_needs_one() -> None:
    log = parse_swf([row(1, 0, 5, 1, 1, 9)])
    with pytest.raises(BadTrace, match="MaxProcs"):
        clean(log)


def test_a_trace_of_jobs_larger_than_the_machine_is_refused_with_counts() -> None:
    log = parse_swf([row(1, 0, 5, 9, 9, 9), row(2, 0, 5, 9, 9, 9)])
    with pytest.raises(BadTrace, match="2 x larger than the machine"):
        clean(log, processors=8)
