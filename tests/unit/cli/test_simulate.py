"""`idleq simulate` and `idleq traces`, from the command line to files and exit codes."""

import csv
import gzip
import json
import re
from pathlib import Path

import pytest

from support.command_line import CommandLine


@pytest.fixture
def home(idleq: CommandLine, tmp_path: Path) -> Path:
    """A home of one's own, so that nobody's traces are seen."""
    idleq.environment |= {
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    return tmp_path


@pytest.fixture
def log_file(home: Path) -> Path:
    path = home / "site.swf"
    rows = ["1 0 0 10 2 -1 -1 2 10", "2 0 0 10 4 -1 -1 4 10", "3 1 0 5 2 -1 -1 2 9", "4 2 0 5 9 -1 -1 9 9"]
    path.write_text("; MaxProcs: 4\n" + "\n".join(rows) + "\n")
    return path


def test_the_start_of_every_job_is_written(idleq: CommandLine, log_file: Path, home: Path) -> None:
    outcome = idleq("simulate", str(log_file), "--no-guests", "--starts", str(home / "starts.csv"))

    assert (outcome.code, outcome.err) == (0, "")
    assert (home / "starts.csv").read_text() == "job_id,start\n1,0\n2,10\n3,1\n"
    assert outcome.out.splitlines() == [
        "site: 3 main jobs on 4 processors, load 17.500",
        "Dropped: 1 line: larger than the machine",
        f"The starts are in {home / 'starts.csv'}",
        "",
        "easy, per-timestamp, reservations by count, user estimates",
        "MEASURE                 VALUE",
        "mean wait              3.33 s  3s",
        "median wait               0 s  0s",
        "95 % wait less than       9 s  9s",
        "longest wait             10 s  10s",
        "mean bounded slowdown  1.3333  tau 10 s",
        "utilisation             0.00%  without warm-up and drain",
        "makespan                 20 s  20s",
        "backfilled             33.33%  of the jobs, past one that came earlier",
        "passes                      4",
    ]


def test_what_was_left_out_of_a_whole_log_is_no_number_of_its_part(idleq: CommandLine, log_file: Path) -> None:
    outcome = idleq("simulate", str(log_file), "--days", "1")
    assert "Dropped from the whole log: 1 line: larger than the machine" in outcome.out.splitlines()
    outcome = idleq("simulate", str(log_file), "--days", "1", "--guests", "enough", "--strategies", "none")
    assert "Dropped from the whole log: 1 line: larger than the machine" in outcome.out.splitlines()


def test_json_is_one_value_with_the_settings_and_the_sums(idleq: CommandLine, log_file: Path) -> None:
    outcome = idleq("--json", "simulate", str(log_file), "--policy", "conservative", "--semantics", "per-event")
    value = json.loads(outcome.out)

    assert (value["trace"]["jobs"], value["trace"]["processors"]) == (3, 4)
    assert value["trace"]["dropped"] == {"larger than the machine": 1}
    assert (value["settings"]["policy"], value["settings"]["semantics"]) == ("conservative", "per-event")
    assert (value["metrics"]["mean_wait"], value["metrics"]["tau"], value["starts"]) == (10 / 3, 10, None)


@pytest.mark.parametrize("policy", ["fcfs", "easy", "easy-sjbf", "conservative", "compressing", "slurm"])
@pytest.mark.parametrize("semantics", ["per-timestamp", "per-event"])
@pytest.mark.parametrize("estimates", ["user", "perfect", "model"])
def test_every_policy_runs_the_trace_that_comes_along(
    idleq: CommandLine, home: Path, policy: str, semantics: str, estimates: str
) -> None:
    starts = home / "starts.csv"
    options = ("--policy", policy, "--semantics", semantics, "--estimates", estimates, "--starts", str(starts))
    assert idleq("simulate", "small", *options).code == 0
    with starts.open() as file:
        assert sorted(int(row["job_id"]) for row in csv.DictReader(file)) == list(range(1, 1001))


@pytest.mark.usefixtures("home")
def test_slurm_is_told_its_settings(idleq: CommandLine) -> None:
    given = ("--slurm", "bf_interval=60", "--slurm", "weight_qos=5", "--slurm", "qos.2=0.5")
    value = json.loads(idleq("simulate", "small", "--policy", "slurm", *given, "--json").out)["settings"]["slurm"]
    assert (value["bf_interval"], value["weight_qos"], value["qos"], value["bf_window"]) == (60, 5, {"2": 0.5}, 86_400)


def test_both_engines_write_the_same_starts(idleq: CommandLine, home: Path) -> None:
    pytest.importorskip("numba")
    for engine in ("simpy", "fast"):
        assert idleq("simulate", "small", "--engine", engine, "--starts", str(home / engine)).code == 0
    assert (home / "fast").read_text() == (home / "simpy").read_text()
    assert any((home / "cache" / "idleq" / "numba").rglob("*.nbi"))


def test_a_folder_has_the_page_the_figures_and_the_numbers(idleq: CommandLine, home: Path) -> None:
    pytest.importorskip("matplotlib")
    out, trace = home / "out", "synthetic:nodes=8,jobs=200,load=0.7,hours=12,seed=3"
    outcome = idleq("simulate", trace, "--no-guests", "--tau", "60", "--out", str(out))

    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, f"The page is {out / 'index.html'}")
    assert "mean wait" in outcome.out
    assert re.search(r"Without warm-up and drain; ± is the 95 % interval of its \d+ weeks", outcome.out)
    pictures = {f"{name}.{form}" for name in ("areas", "gaps", "waits", "weeks") for form in ("csv", "png")}
    others = {"index.html", "results.csv", "intervals.csv", "results.json", ".idleq-results"}
    assert {path.name for path in out.iterdir()} == pictures | others
    value = json.loads((out / "results.json").read_bytes())
    assert (value["engine"], value["metrics"]["tau"], value["scenario"]["tau"]) == ("simpy", 60, 60)


def test_what_a_folder_has_is_in_the_json_too(idleq: CommandLine, home: Path) -> None:
    trace = "synthetic:nodes=8,jobs=200,load=0.7,hours=12,seed=3"
    options = ("--no-plots", "--parquet", "--out", str(home / "out"), "--starts", str(home / "starts.csv"))
    pytest.importorskip("pyarrow")
    value = json.loads(idleq("--json", "simulate", trace, *options).out)

    written = json.loads((home / "out" / "results.json").read_bytes())
    assert value["out"] == str(home / "out")
    assert value["measured"] == written["strategies"]["none"]["means"]
    assert value["measured"]["wait_s"]["half_width_95"] > 0
    assert value["metrics"] == written["metrics"]
    assert (home / "out" / "intervals.parquet").is_file()
    assert (home / "starts.csv").read_text().count("\n") == 201
    assert not list((home / "out").glob("*.png"))


@pytest.mark.parametrize(("part", "measured"), [((), (100, 87_300)), (("--from", "1"), (600, 900))])
def test_a_folders_clock_begins_with_the_part_that_is_used(
    idleq: CommandLine, home: Path, part: tuple[str, ...], measured: tuple[int, int]
) -> None:
    rows = [f"{job} {1000 + submit} 0 100 1 -1 -1 1 100" for job, submit in ((1, 0), (2, 86_900), (3, 87_300))]
    (home / "late.swf").write_text("; MaxProcs: 1\n" + "\n".join(rows) + "\n")
    options = ("--no-guests", *part, "--no-plots", "--out", str(home / "out"), "--json")
    means = json.loads(idleq("simulate", str(home / "late.swf"), *options).out)["measured"]
    assert (means["since_s"]["mean"], means["until_s"]["mean"]) == measured


def test_both_engines_write_the_same_folder(idleq: CommandLine, home: Path) -> None:
    pytest.importorskip("numba")
    for engine in ("simpy", "fast"):
        options = ("--from", "1", "--no-plots", "--engine", engine, "--out", str(home / engine))
        assert idleq("simulate", "small", *options).code == 0
    found = [
        {path.name: path.read_text().replace(engine, "") for path in (home / engine).iterdir()}
        for engine in ("simpy", "fast")
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nothing",), 57, "there is no file and no trace 'nothing'"),
        (("smalll",), 57, "lublin:... draw one; did you mean 'small'?"),
        (
            ("synthetic:node=4",),
            59,
            "synthetic has no 'node': it has nodes, jobs, load, seed, hours, over; did you mean 'nodes'?",
        ),
        (("small", "--policy", "best"), 59, "there is no policy 'best'"),
        (("small", "--policy", "conservativ"), 59, "compressing, slurm; did you mean 'conservative'?"),
        (
            ("small", "--estimates", "perfekt"),
            59,
            "may be user, perfect, model, not 'perfekt'; did you mean 'perfect'?",
        ),
        (("small", "--policy", "slurm", "--slurm", "bf_intervall=5"), 59, "qos.NUMBER; did you mean 'bf_interval'?"),
        (("small", "--semantics", "none"), 59, "--semantics may be per-timestamp, per-event, not 'none'"),
        (("small", "--procs", "0"), 59, "--procs: it is at least 1 and at most 10000000, not 0"),
        (("small", "--tau", "0"), 59, "--tau: it is at least 1 and"),
        (("small", "--seed", "-1"), 59, "--seed: it is at least 0 and"),
        (("small", "--estimates", "model", "--over", "0.5"), 59, "--over: it is at least 1 and"),
        (("small", "--policy", "conservative", "--reservation", "nodes"), 59, "not for conservative"),
        (("small", "--policy", "slurm", "--engine", "fast"), 59, "the fast engine has no slurm"),
        (("small", "--engine", "fast", "--reservation", "nodes"), 59, "the fast engine counts processors"),
        (("small", "--policy", "slurm", "--slurm", "colour=1"), 59, "--slurm has no colour"),
        (("small", "--policy", "slurm", "--slurm", "bf_interval=x"), 59, "needs a number"),
        (("small", "--policy", "slurm", "--slurm", "bf_interval=0"), 59, "at least 1"),
        (("small", "--slurm", "bf_interval=60"), 59, "--slurm does nothing without --policy slurm"),
        (("small", "--over", "2"), 59, "--over does nothing without --estimates model"),
        (("small", "--repair", "0"), 59, "--repair does nothing without --mtbf"),
        (("small", "--mtbf", "50", "--repair", "-1"), 59, "--repair: it is at least 0.001 and"),
        (("small", "--mtbf", "0"), 59, "--mtbf: it is at least 0.001 and"),
        (("small", "--mtbf", "10", "--semantics", "per-event"), 59, "outages go with per-timestamp"),
        (("small", "--outages", "none.toml"), 48, "none.toml cannot be read"),
        (("small", "--procs", "32", "--strict"), 51, "asks for more than 32 processors"),
        (("synthetic:load=0",), 59, "a load above 0"),
        (("small", "--mtbf", "x"), 2, ""),
    ],
)
def test_what_cannot_be_simulated_is_told_and_nothing_is_written(
    idleq: CommandLine, home: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    outcome = idleq("simulate", *arguments, "--starts", str(home / "starts.csv"))

    assert (outcome.code, message in outcome.err, outcome.out) == (code, True, "")
    assert not (home / "starts.csv").exists()


@pytest.mark.parametrize(
    "content", ["", "; MaxProcs: 4\n", "id,submit\n1,2\n", "1 0 0 5 9 -1 -1 9 9\n", '{"jobs": []}']
)
def test_a_file_that_is_no_trace_is_refused(idleq: CommandLine, home: Path, content: str) -> None:
    (home / "odd").write_text(content)
    assert idleq("simulate", str(home / "odd"), "--procs", "4").code == 50


def test_starts_that_cannot_be_written_are_told_before_anything_is_done(idleq: CommandLine, home: Path) -> None:
    outcome = idleq("simulate", "small", "--starts", str(home / "no" / "starts.csv"))
    assert (outcome.code, "its folder must be there" in outcome.err) == (58, True)


def test_an_old_file_of_starts_stays_when_the_run_fails(idleq: CommandLine, home: Path) -> None:
    (home / "starts.csv").write_text("job_id,start\n7,7\n")
    assert idleq("simulate", "small", "--policy", "x", "--starts", str(home / "starts.csv")).code == 59
    assert (home / "starts.csv").read_text() == "job_id,start\n7,7\n"
    assert [path.name for path in home.iterdir() if path.is_file()] == ["starts.csv"]


@pytest.mark.usefixtures("home")
def test_starts_take_no_other_files_place(idleq: CommandLine, log_file: Path) -> None:
    before = log_file.read_bytes()
    outcome = idleq("simulate", str(log_file), "--starts", str(log_file))
    assert (outcome.code, log_file.read_bytes()) == (58, before)
    assert "is something else already: give another name, or remove it first" in outcome.err


@pytest.mark.parametrize(
    "impossible",
    [
        ("--from", "-1"),
        ("--days", "0"),
        ("--procs", "9" * 20),
        ("--tau", "0"),
        ("--mtbf", "1e-300"),
        ("--seed", "-1"),
        ("--estimates", "model", "--over", "1e300"),
        ("--policy", "slurm", "--slurm", "qos.1=nan"),
        ("--policy", "slurm", "--slurm", "qos.1=2"),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_value_that_cannot_be_is_refused_without_guests_too(idleq: CommandLine, impossible: tuple[str, ...]) -> None:
    assert idleq("simulate", "small", *impossible).code == 59


def test_outages_stay_on_the_logs_clock_where_a_part_of_it_is_used(idleq: CommandLine, home: Path) -> None:
    (home / "days.swf").write_text("; MaxProcs: 1\n1 0 0 100 1 -1 -1 1 100\n2 86400 0 100 1 -1 -1 1 100\n")
    (home / "away.csv").write_text("kind,from,until,nodes\noutage,5,6,0\noutage,86410,86411,0\n")
    options = ("--from", "1", "--outages", str(home / "away.csv"), "--json")
    value = json.loads(idleq("simulate", str(home / "days.swf"), *options).out)
    assert (value["outages"], value["restarts"], value["lost_processor_seconds"]) == (1, 1, 10)


def test_outages_kill_jobs_and_the_loss_is_told(idleq: CommandLine, log_file: Path, home: Path) -> None:
    (home / "away.csv").write_text("kind,from,until,processors,nodes\noutage,5,6,,0\n")
    value = json.loads(idleq("simulate", str(log_file), "--outages", str(home / "away.csv"), "--json").out)
    assert (value["outages"], value["restarts"], value["lost_processor_seconds"]) == (1, 1, 10)


def test_traces_are_added_shown_and_listed(idleq: CommandLine, log_file: Path, home: Path) -> None:
    added = idleq("traces", "add", str(log_file), "--name", "mine")
    kept = home / "data" / "idleq" / "traces" / "mine.swf.gz"

    assert added.out == f"mine: 4 lines of jobs, 0 that are none, kept in {kept}\n"
    assert idleq("-q", "traces", "ls").out == "mine\nsmall\n"
    assert "Dropped: 1 line: larger than the machine" in idleq("traces", "show", "mine").out
    assert json.loads(idleq("--json", "traces", "show", "mine", "--procs", "9").out)["jobs"] == 4
    log_file.unlink()
    assert idleq("simulate", "mine").code == 0


def test_a_file_that_is_no_trace_is_not_added(idleq: CommandLine, home: Path) -> None:
    (home / "odd.swf").write_text("nothing of the kind\n")
    assert idleq("traces", "add", str(home / "odd.swf")).code == 50
    assert idleq("-q", "traces", "ls").out == "small\n"


def test_a_sites_own_accounting_can_be_simulated(idleq: CommandLine, home: Path) -> None:
    (home / "sacct.txt").write_text(
        "JobID|Submit|Start|ElapsedRaw|Timelimit|AllocCPUS|State|User|QOS\n"
        "7|2024-03-01T10:00:00|2024-03-01T10:01:00|60|00:10:00|4|COMPLETED|ada|normal\n"
        "8|2024-03-01T10:00:05|2024-03-01T10:02:00|60|00:10:00|4|COMPLETED|ada|normal\n"
    )
    outcome = idleq("traces", "import-sacct", str(home / "sacct.txt"), "--name", "ours")
    assert outcome.out.splitlines()[1].startswith("The processors are the most that were in use at once")
    assert json.loads(idleq("simulate", "ours", "--json").out)["metrics"]["max_wait"] == 55


def test_a_wrong_option_points_to_help_under_the_commands_own_name(idleq: CommandLine) -> None:
    assert "\nTry 'idleq simulate -h' for help.\n" in idleq("simulate", "small", "--nosuch").err


ACCOUNTING = """JobID|Submit|Start|ElapsedRaw|Timelimit|AllocCPUS|State|User|QOS
7|2024-03-01T10:00:00|2024-03-01T10:01:00|60|00:10:00|4|COMPLETED|ada|normal
8|2024-03-01T10:00:05|2024-03-01T10:02:00|60|UNLIMITED|4|COMPLETED|ada|normal
9|2024-03-01T10:00:05|None|0|00:10:00|4|CANCELLED by 7|ada|normal
10|2024-03-01T10:00:05|2024-03-01T10:02:00|60|00:10:00|four|COMPLETED|ada|normal
"""


def test_no_log_takes_another_ones_name_unless_it_is_to(idleq: CommandLine, log_file: Path, home: Path) -> None:
    (home / "sacct.txt").write_text(ACCOUNTING)
    add = ("traces", "add", str(log_file), "--name", "mine")
    imported = ("traces", "import-sacct", str(home / "sacct.txt"), "--name", "mine")
    assert [idleq(*add).code, idleq(*add).code, idleq(*imported).code] == [0, 0, 59]
    assert "there is a trace mine already" in idleq(*imported).err
    assert idleq("traces", "add", str(log_file), "--name", "small").code == 59
    assert idleq(*imported, "--replace").code == 0
    assert json.loads(idleq("--json", "traces", "show", "mine", "--procs", "4").out)["jobs"] == 1


@pytest.mark.usefixtures("home")
def test_a_log_that_was_added_can_be_forgotten(idleq: CommandLine, log_file: Path) -> None:
    idleq("traces", "add", str(log_file), "--name", "mine")
    assert [idleq("traces", "rm", "mine").code, idleq("traces", "rm", "mine").code] == [0, 57]
    assert idleq("traces", "rm", "small").code == 57
    assert (idleq("-q", "traces", "ls").out, log_file.exists()) == ("small\n", True)


def test_an_import_says_that_the_machine_is_said_to_be_too_small_and_reads_gzipped_files(
    idleq: CommandLine, home: Path
) -> None:
    (home / "sacct.txt.gz").write_bytes(gzip.compress(ACCOUNTING.encode()))
    said = idleq("traces", "import-sacct", str(home / "sacct.txt.gz"), "--procs", "1").out
    assert "Larger than the machine: 2 jobs, which simulations leave out" in said


def test_the_import_says_which_jobs_simulations_would_leave_out_and_how_to_keep_them(
    idleq: CommandLine, home: Path
) -> None:
    (home / "sacct.txt").write_text(ACCOUNTING)
    kept = home / "data" / "idleq" / "traces" / "ours.swf.gz"
    advice = "give --default-limit, the longest that the site lets a job run, like 7d"
    lines = [
        f"ours: 2 jobs on 4 processors, kept in {kept}",
        f"Without a time limit: 1 job, which simulations leave out: {advice}",
        "Dropped: 1 record: never started",
        "Dropped: 1 record: a field that cannot be read",
        "  line 5: AllocCPUS is 'four'",
    ]
    asked = ("traces", "import-sacct", str(home / "sacct.txt"), "--name", "ours", "--procs", "4")

    assert idleq(*asked).out.splitlines() == lines
    assert json.loads(idleq("simulate", "ours", "--json").out)["trace"]["jobs"] == 1

    lines[1] = "Without a time limit: 1 job, taken to have one of 1h"
    assert idleq(*asked, "--replace", "--default-limit", "1h").out.splitlines() == lines
    assert json.loads(idleq("simulate", "ours", "--json").out)["trace"]["jobs"] == 2


@pytest.mark.parametrize("text", ["7", "soon", "0s", "5ms", "4000d"])
def test_a_default_limit_that_is_none_is_refused_before_anything_is_read(
    idleq: CommandLine, home: Path, text: str
) -> None:
    outcome = idleq("traces", "import-sacct", str(home / "none"), "--default-limit", text)

    assert (outcome.code, "Invalid value for --default-limit: " in outcome.err) == (2, True)


def test_accounting_that_is_none_is_refused(idleq: CommandLine, home: Path) -> None:
    (home / "x").write_text("x")
    assert idleq("traces", "import-sacct", str(home / "x")).code == 50
    assert idleq("traces", "import-sacct", str(home / "none")).code == 50
    assert idleq("traces", "import-sacct", str(home / "x"), "--procs", "0").code == 59
