import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from idleq.simulator.errors import BadTrace, ImpossibleParameters, TraceNotKept, TraceUnknown
from idleq.simulator.library import add, find, kept_traces
from idleq.simulator.lublin import Lublin, lublin
from idleq.simulator.places import Places
from idleq.simulator.sacct import import_sacct
from idleq.simulator.sources import load_trace
from idleq.simulator.swf import clean, parse_swf
from idleq.simulator.tracecache import read_cached

LOG = "; MaxProcs: 4\n" + "1 0 0 5 2 -1 -1 2 9 -1 1 3 1 1 2 -1 -1 -1\n" + "broken\n" + "2 1 0 5 4 -1 -1 4 9\n"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", cache=tmp_path / "cache")


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    path = tmp_path / "site.swf"
    path.write_text(LOG)
    return path


def kept_file(places: Places) -> Path:
    (file,) = places.read_traces.glob("*")
    return file


def test_a_log_is_read_once_and_then_from_the_cache(places: Places, log_file: Path) -> None:
    first, digest = read_cached(log_file, places.read_traces)
    written = kept_file(places).stat().st_mtime_ns
    again, same = read_cached(log_file, places.read_traces)

    assert digest == same
    assert kept_file(places).stat().st_mtime_ns == written
    assert (again.header, again.dropped) == (first.header, first.dropped)
    assert (again.rows.tolist(), again.lines.tolist()) == (first.rows.tolist(), first.lines.tolist())


def test_a_cached_file_of_another_version_is_made_again_never_trusted(places: Places, log_file: Path) -> None:
    read_cached(log_file, places.read_traces)
    kept = kept_file(places)
    with np.load(kept) as file:
        arrays = dict(file)
    about = json.loads(arrays["about"].tobytes()) | {"version": 0, "header": {"MaxProcs": "999"}}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    np.savez(kept, **arrays)

    log, _ = read_cached(log_file, places.read_traces)

    assert log.processors == 4
    with np.load(kept) as file:
        assert json.loads(file["about"].tobytes())["version"] != 0


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"PK\x03\x04 cut short"])
def test_a_damaged_cached_file_is_made_again(places: Places, log_file: Path, rubbish: bytes) -> None:
    read_cached(log_file, places.read_traces)
    kept_file(places).write_bytes(rubbish)

    assert read_cached(log_file, places.read_traces)[0].processors == 4
    assert kept_file(places).read_bytes() != rubbish


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path: Path, log_file: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    assert len(read_cached(log_file, tmp_path / "file" / "cache")[0].rows) == 2


def test_a_trace_that_was_added_is_found_by_name(places: Places) -> None:
    path = add(LOG.encode(), "mine", places)

    assert gzip.decompress(path.read_bytes()).decode() == LOG
    assert [(one.name, one.is_shipped) for one in kept_traces(places)] == [("mine", False), ("small", True)]
    assert load_trace("mine", places).dropped_by_reason() == {"fewer than 9 columns": 1}


@pytest.mark.parametrize("name", ["", "../up", "a b", ".hidden", "x" * 101])
def test_a_name_that_is_none_is_refused(places: Places, name: str) -> None:
    with pytest.raises(ImpossibleParameters, match="no name for a trace"):
        add(LOG.encode(), name, places)


def test_a_trace_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TraceNotKept, match="cannot be written"):
        add(LOG.encode(), "mine", Places(data=tmp_path / "file", cache=tmp_path))


def test_an_unknown_trace_names_those_there_are(places: Places) -> None:
    with pytest.raises(TraceUnknown, match="the traces here are small"):
        find("nothing", places)


def test_a_folder_is_no_trace_but_does_not_hide_one_of_its_name(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TraceUnknown, match=rf"^{tmp_path} is a folder: name the log in it$"):
        find(str(tmp_path), places)

    (tmp_path / "small").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find("small", places).is_file()


def test_the_trace_that_comes_along_can_be_used_as_it_is(places: Places) -> None:
    trace = load_trace("small", places)
    assert (len(trace.table), trace.processors, trace.dropped, round(trace.load, 3)) == (1000, 64, (), 0.8)


def test_users_and_queues_are_read_and_unknown_where_a_line_ends_early() -> None:
    table = clean(parse_swf(LOG.splitlines())).table
    assert (table.user.tolist(), table.queue.tolist()) == ([3, -1], [2, -1])


def test_what_ran_longer_than_its_limit_is_counted() -> None:
    assert clean(parse_swf(["1 0 0 50 1 -1 -1 1 9"]), 4).shortened == 1


@pytest.mark.parametrize(
    ("recipe", "nodes", "load"),
    [
        ("synthetic:nodes=64,load=0.5,jobs=4000", 64, 0.5),
        ("synthetic:nodes=4096,load=1.1,jobs=4000", 4096, 1.1),
        ("lublin:nodes=256,load=0.9,jobs=4000", 256, 0.9),
    ],
)
def test_a_recipe_draws_the_load_that_it_names(places: Places, recipe: str, nodes: int, load: float) -> None:
    trace, again = load_trace(recipe, places), load_trace(recipe, places)
    assert (trace.processors, len(trace.table), int(trace.table.size.max()) <= nodes) == (nodes, 4000, True)
    assert trace.load == pytest.approx(load, rel=0.1)
    assert trace.jobs == again.jobs
    assert trace.jobs != load_trace(f"{recipe},seed=2", places).jobs
    assert all(1 <= job.run <= job.limit for job in trace.jobs)


def test_the_model_has_the_shares_and_the_day_that_its_authors_fitted() -> None:
    table = lublin(Lublin(nodes=128, jobs=40_000), 1)
    powers = np.isin(table.size, 2 ** np.arange(1, 8)).mean()
    by_hour = np.bincount(table.submit % 86_400 // 3600, minlength=24)

    assert (table.size == 1).mean() == pytest.approx(0.244, abs=0.01)
    assert powers == pytest.approx(0.576 + 0.03, abs=0.03)  # a few of the others are powers of two as well
    assert int(table.run.max()) <= np.exp(12)
    assert 12 <= by_hour.argmax() <= 17
    assert by_hour.min() < by_hour.max() / 5


@pytest.mark.parametrize(
    "recipe",
    [
        "synthetic:load=0", "synthetic:load=-1", "synthetic:load=nan", "synthetic:hours=0", "synthetic:jobs=0", "synthetic:nodes=1.5",
        "synthetic:nodes=x", "synthetic:colour=1", "synthetic:over=0.5", "lublin:nodes=4", "lublin:seed=-1", "lublin:jobs=inf",
    ],
)  # fmt: skip
def test_an_impossible_recipe_is_refused(places: Places, recipe: str) -> None:
    with pytest.raises(ImpossibleParameters):
        load_trace(recipe, places)


TABLE = """JobID|Submit|Start|End|ElapsedRaw|Timelimit|AllocCPUS|State|User|QOS
7|2024-03-01T10:00:00|2024-03-01T10:01:00|2024-03-01T10:02:00|60|00:10:00|4|COMPLETED|ada|normal
7.batch|2024-03-01T10:00:00|2024-03-01T10:01:00|2024-03-01T10:02:00|60||4|COMPLETED||
8_1|2024-03-01T09:00:00|2024-03-01T09:00:00|2024-03-01T10:00:30|3630|1-00:00:00|2|CANCELLED by 7|bob|high
9|2024-03-01T10:00:00|Unknown|Unknown|0|00:10:00|1|PENDING|ada|normal
10|2024-03-01T10:00:00|None|Unknown|0|00:10:00|1|CANCELLED|ada|normal
11|2024-03-01T11:00:00|2024-03-01T11:00:00|2024-03-01T11:00:10|10|UNLIMITED|1|TIMEOUT|ada|normal
"""


def test_a_table_of_sacct_becomes_a_log() -> None:
    made = import_sacct(TABLE)
    rows = [line for line in made.text.splitlines() if not line.startswith(";")]

    assert rows == [
        "1 0 0 3630 2 -1 -1 2 86400 -1 5 1 -1 -1 1 -1 -1 -1",
        "2 3600 60 60 4 -1 -1 4 600 -1 1 2 -1 -1 2 -1 -1 -1",
        "3 7200 0 10 1 -1 -1 1 -1 -1 0 2 -1 -1 2 -1 -1 -1",
    ]
    assert (made.jobs, made.processors, made.unlimited) == (3, 4, 1)
    assert (made.dropped, made.unreadable) == ({"not over yet": 1, "never started": 1}, ())
    assert parse_swf(made.text.splitlines()).processors == 4
    assert "; Note: MaxProcs is the most that were in use at once; the machine may be larger" in made.text


HETEROGENEOUS = """JobID|Submit|Start|ElapsedRaw|Timelimit|AllocCPUS|State|User|QOS
1+0|2026-11-28T02:21:54|2026-11-28T02:21:55|2|00:05:00|1|COMPLETED|root|normal
1+1|2026-11-28T02:21:54|2026-11-28T02:21:55|3|00:07:00|2|FAILED|root|normal
3|2026-11-28T02:22:00|2026-11-28T02:22:00|1|00:07:00|1|COMPLETED|root|normal
"""


def test_the_components_of_a_heterogeneous_job_are_one_job_that_takes_them_all() -> None:
    rows = [line for line in import_sacct(HETEROGENEOUS).text.splitlines() if not line.startswith(";")]
    assert rows == ["1 0 1 3 3 -1 -1 3 420 -1 0 1 -1 -1 1 -1 -1 -1", "2 6 0 1 1 -1 -1 1 420 -1 1 1 -1 -1 1 -1 -1 -1"]

    # As sacct --json of Slurm 24.11 tells of the first two, and of others.
    times = {"submission": 90, "start": 100, "elapsed": 5, "limit": 3}
    het = [{"job_id": 1, "job_offset": {"set": True, "infinite": False, "number": number}} for number in (0, 1)]
    none = {"job_id": 0, "job_offset": {"set": False, "infinite": False, "number": 0}}
    jobs = [_json_job(job_id=1 + number, time=times, het=of) for number, of in enumerate((*het, none))]
    made = import_sacct(json.dumps({"jobs": jobs}))
    assert [line.split()[4] for line in made.text.splitlines() if not line.startswith(";")] == ["8", "16"]


def test_components_of_which_one_has_no_limit_have_none_together() -> None:
    made = import_sacct(HETEROGENEOUS.replace("00:07:00", "UNLIMITED", 1))
    assert [line.split()[8] for line in made.text.splitlines() if not line.startswith(";")] == ["-1", "420"]


def test_a_table_by_raw_numbers_alone_becomes_a_log_too() -> None:
    made = import_sacct(TABLE.replace("JobID|", "JobIDRaw|", 1))
    assert (made.jobs, made.dropped) == (3, {"not over yet": 1, "never started": 1})


def test_jobs_without_a_time_limit_get_the_one_that_is_given_and_the_log_says_so() -> None:
    made = import_sacct(TABLE.replace("1-00:00:00", "Partition_Limit"), default_limit=7200)
    rows = [line.split() for line in made.text.splitlines() if not line.startswith(";")]

    assert ([row[8] for row in rows], made.unlimited) == (["7200", "600", "7200"], 2)
    assert "; Note: 2 jobs had no time limit and got 7200 s" in made.text
    assert clean(parse_swf(made.text.splitlines())).dropped == ()


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("|10|UNLIMITED", "|ten|UNLIMITED", "line 7: ElapsedRaw is 'ten'"),
        ("|10|UNLIMITED", "|10|1:2x", "line 7: Timelimit is '1:2x'"),
        ("|2024-03-01T11:00:10|10|UNLIMITED|1|TIMEOUT|ada|normal", "", "line 7: it ends before ElapsedRaw"),
        ("9|2024-03-01T10:00:00|Unknown|Unknown|0|00:10:00|1|PENDING|ada|normal", "9|soon|2024-03-01", "line 5: Submit is 'soon'"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_named_with_its_field(old: str, new: str, where: str) -> None:
    assert TABLE.count(old) == 1
    made = import_sacct(TABLE.replace(old, new))

    assert (made.dropped["a field that cannot be read"], made.unreadable) == (1, (where,))


HEAD = "JobID|Submit|Start|ElapsedRaw|Timelimit|AllocCPUS|State\n"


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [("1-02", 93_600), ("1-02:30", 95_400), ("1-00:00:05", 86_405), ("02:03", 123), ("01:00:00", 3600), ("10", 600)],
)
def test_limits_are_read_in_every_form(limit: str, seconds: int) -> None:
    made = import_sacct(f"\n{HEAD}1|100|100|5|{limit}|2|\n")
    assert [line.split()[8] for line in made.text.splitlines() if line[0] != ";"] == [str(seconds)]


def test_records_that_took_nothing_of_the_machine_are_dropped() -> None:
    rows = (
        "1|100|100|-5|10|2|COMPLETED",
        "2|100|100|0|10|2|COMPLETED",
        "3|100|100|5|10|0|COMPLETED",
        "4|100|100|5|10|1|COMPLETED",
    )
    made = import_sacct(HEAD + "\n".join(rows))
    assert (made.jobs, made.dropped) == (1, {"ran for no time": 2, "had no CPUs": 1})


def _json_job(**changes: object) -> dict[str, object]:
    job: dict[str, object] = {
        "job_id": 5,
        "state": {"current": ["COMPLETED"]},
        "time": {
            "submission": 100,
            "start": 110,
            "elapsed": 50,
            "limit": {"set": True, "infinite": False, "number": 2},
        },
        "tres": {"allocated": [{"type": "mem", "count": 1}, {"type": "cpu", "count": 8}]},
        "user": "ada",
        "qos": "normal",
    }
    return job | changes


def test_the_json_of_sacct_old_and_new_becomes_a_log() -> None:
    old = _json_job(state={"current": "FAILED"}, time={"submission": 90, "start": 95, "elapsed": 20, "limit": 3})
    running = _json_job(state={"current": ["RUNNING"]})
    waited = {"submission": 90, "start": {"set": False, "infinite": False, "number": 0}, "elapsed": 0, "limit": 3}
    never = _json_job(state={"current": ["CANCELLED"]}, time=waited)
    nor = _json_job(state={"current": ["CANCELLED"]}, time={**waited, "start": 4_294_967_294})
    at = {"set": True, "infinite": False, "number": 100}
    times = {"submission": at, "start": 110, "elapsed": 50, "limit": {"set": True, "infinite": False, "number": 2}}
    made = import_sacct(
        json.dumps(
            {
                "jobs": [
                    _json_job(time=times),
                    old,
                    running,
                    {"job_id": 1},
                    never,
                    nor,
                ]
            }
        ),
        64,
    )
    assert [line for line in made.text.splitlines() if not line.startswith(";")] == [
        "1 0 5 20 8 -1 -1 8 180 -1 0 1 -1 -1 1 -1 -1 -1",
        "2 10 10 50 8 -1 -1 8 120 -1 1 1 -1 -1 1 -1 -1 -1",
    ]
    reasons = {"not over yet": 1, "a field that cannot be read": 1, "never started": 2}
    assert (made.processors, made.dropped, made.unreadable) == (64, reasons, ("record 4: it lacks 'state'",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no table of sacct"),
        ("JobID|Submit\n1|2", "it lacks Start, ElapsedRaw, Timelimit, AllocCPUS"),
        ("{", "no JSON of sacct"),
        ('{"jobs": []}', "there are no records"),
        ('{"jobs": null}', "its jobs are no list"),
        ('{"jobs": ' + "[" * 100_000, "no JSON of sacct"),
        ('{"jobs": [{"job_id": 1, "state": {"current": ["PENDING"]}}]}', "1 x not over yet"),
    ],
)
def test_what_is_no_accounting_is_refused_with_the_reason(content: str, message: str) -> None:
    with pytest.raises(BadTrace, match=message):
        import_sacct(content)
