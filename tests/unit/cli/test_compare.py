"""`idleq simulate --guests ...`, from the command line to tables, folders and exit codes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from idleq.ids import Fence, JobId, Millis, SnapshotId
from idleq.scheduler.core.facts import Fact, SegmentFrozen
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.errors import BadJobFile
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.ports import Turn
from idleq.scheduler.store.database import sqlite_url
from idleq.scheduler.store.journal import Journal
from idleq.simulator.study import page
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
def site(home: Path) -> str:
    """Two processors for 1,100 s: one idle from 100 until 900, the other from 100 until 500 and from 600 until 900."""
    path = home / "site.swf"
    rows = [
        "1 0 0 100 2 -1 -1 2 100",
        "2 500 0 100 1 -1 -1 1 100",
        "3 900 0 100 2 -1 -1 2 100",
        "4 1000 0 100 2 -1 -1 2 100",
    ]
    path.write_text("; MaxProcs: 2\n" + "\n".join(rows) + "\n")
    return str(path)


def test_strategies_stand_beside_each_other(idleq: CommandLine, site: str) -> None:
    outcome = idleq("simulate", site, "--guests", "enough", "--cost", "50", "--strategies", "none,kill,oracle")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "site: 4 main jobs on 2 processors, load 0.350, utilisation without guests 16.67 %, 3 gaps",
        "One run of few weeks: no intervals. --replications N gives them.",
        "",
        "easy, preemptible, grace 0 s, tau 10 s",
        "MEASURE                 NONE   KILL  ORACLE",
        "main jobs              16.67  16.67   16.67  %",
        "effective utilisation  16.67  16.67   77.78  %",
        "gained                     -   0.00   61.11  % points",
        "idle                   83.33   0.00    0.00  %",
        "  tail waste               -   0.00    0.00  %",
        "overhead                   -  83.33   22.22  %",
        "  starting                 -   8.33    5.56  %",
        "  thawing                  -   0.00    5.56  %",
        "  saving                   -   0.00    0.00  %",
        "  freezing                 -   0.00   11.11  %",
        "  lost                     -  75.00    0.00  %",
        "not yet saved              -   0.00    0.00  %",
        "harvest                    -   0.00   91.67  %",
        "segments                   -      3       4",
        "mean wait                0.0    0.0     0.0  s",
        "change of the wait         -    0.0     0.0  s",
        "mean bounded slowdown   1.00   1.00    1.00",
        "change of slowdown         -   0.00    0.00",
        "found guests               -      2       0",
        "their wait for guests      -    0.0       -  s",
        "the longest                -    0.0     0.0  s",
        "its bound                  -    0.0     0.0  s",
        "over their bound           -      0       0",
    ]


def test_json_is_one_value_with_all_runs(idleq: CommandLine, site: str) -> None:
    outcome = idleq("simulate", site, "--guests", "enough", "--replications", "2", "--seed", "5", "--json")
    value = json.loads(outcome.out)

    assert (value["trace"]["name"], value["trace"]["processors"], value["replications"]) == ("site", 2, 2)
    assert list(value["strategies"]) == ["none", "idleq", "oracle"]
    assert [run["seed"] for run in value["strategies"]["idleq"]["runs"]] == [5, 6]
    assert (value["scenario"]["shake"], value["scenario"]["costs"]["freeze"], value["out"]) == (60, 60, None)


def test_a_folder_has_the_page_the_figures_and_the_numbers(idleq: CommandLine, home: Path) -> None:
    pytest.importorskip("matplotlib")
    out = home / "gain"
    options = ("--guests", "enough", "--days", "2", "--strategies", "none,idleq", "--out", str(out))
    outcome = idleq("simulate", "small", *options)

    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, f"The page is {out / 'index.html'}")
    pictures = {
        f"{name}.{form}" for name in ("areas", "gantt", "gaps", "strategies", "waits") for form in ("csv", "png")
    }
    others = {"index.html", "results.csv", "results.json", ".idleq-results"}
    assert {path.name for path in out.iterdir()} == pictures | others
    page = (out / "index.html").read_text()
    assert "What guests would gain on small" in page
    first = (out / "results.csv").read_text().splitlines()[0]
    assert first.startswith("# idleq ")
    assert first.endswith("; seed 1")


def test_the_numbers_are_there_before_anything_is_drawn(
    idleq: CommandLine, site: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = home / "gain"
    options = ("--guests", "enough", "--strategies", "none,idleq", "--no-plots", "--out", str(out))
    assert idleq("simulate", site, *options).code == 0
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    shutil.rmtree(out)
    # A signal here ends the process as it is.
    found = dict[str, bytes]()

    def render(*arguments: Any) -> str:
        found.update({path.name: path.read_bytes() for path in out.iterdir()})
        return page.render(*arguments)

    monkeypatch.setattr("idleq.simulator.study.output.render", render)
    assert idleq("simulate", site, *options).code == 0

    assert whole.keys() - found.keys() == {"index.html"}
    assert {name: whole[name] for name in found if name != ".idleq-results"} == {
        name: content for name, content in found.items() if name != ".idleq-results"
    }
    assert {path.name: path.read_bytes() for path in out.iterdir()} == whole


def test_guests_may_come_from_a_job_file(idleq: CommandLine, site: str, home: Path) -> None:
    jobs = home / "jobs.toml"
    jobs.write_text('[[job]]\ncommand = ["x"]\nexpected = "2m"\narray = "0-3"\n')
    outcome = idleq("--json", "simulate", site, "--guests", str(jobs), "--cost", "1", "--strategies", "oracle")
    run = json.loads(outcome.out)["strategies"]["oracle"]["runs"][0]

    # They come in at the very beginning, before anything is measured, but their work counts where it is done.
    assert (run["done"], run["useful"]) == (4, pytest.approx(4 * 120 / (2 * 1000), rel=0.3))


@pytest.mark.parametrize("options", [("--semantics", "per-event"), ("--reservation", "nodes")])
def test_both_meanings_of_an_instant_and_of_a_reservation_go_with_guests(
    idleq: CommandLine, site: str, options: tuple[str, str]
) -> None:
    value = json.loads(idleq("simulate", site, "--guests", "enough", "--cost", "50", *options, "--json").out)
    assert value["scenario"][options[0].removeprefix("--")] == options[1]
    assert value["strategies"]["oracle"]["runs"][0]["harvest"] == pytest.approx(0.9167, abs=1e-4)


def test_outages_go_with_guests(idleq: CommandLine, site: str, home: Path) -> None:
    (home / "away.csv").write_text("kind,from,until,nodes\noutage,300,400,0\n")
    options = ("--guests", "enough", "--outages", str(home / "away.csv"), "--strategies", "idleq", "--json")
    run = json.loads(idleq("simulate", site, *options).out)["strategies"]["idleq"]["runs"][0]

    assert (run["away"], run["gaps"]) == (pytest.approx(100 / (2 * 900)), 4)
    assert run["lost_segments"] > 0


def test_costs_are_learned_from_a_journal(idleq: CommandLine, site: str, home: Path) -> None:
    server = home / "server"
    paths = ServerPaths(server)
    paths.create()
    snapshot = Snapshot(
        id=SnapshotId("s"), fence=Fence(1), digest="d", bytes=10**9, taken_at=Millis(0), run_ms=Millis(5)
    )
    frozen: list[Fact] = [
        SegmentFrozen(
            job=JobId("1"),
            fence=Fence(1),
            snapshot=snapshot,
            ended_at=Millis(9),
            freeze_ms=Millis(7000),
            reason="",
            delayed_until=None,
        )
    ]
    journal = Journal.open(sqlite_url(paths.journal), create=True)
    journal.append([Turn(at=Millis(1), facts=tuple(frozen), commands=())])
    journal.close()

    outcome = idleq("--json", "simulate", site, "--guests", "enough", "--costs", f"from-journal:{server}")
    costs = json.loads(outcome.out)["scenario"]["costs"]
    assert (costs["freeze"], costs["thaw"], costs["bytes"]) == (7, 7, 10**9)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--cost", "3"), 59, "--cost is about guests: say which with --guests"),
        (("--replications", "3", "--out", "x"), 59, "--replications is about guests"),
        (("--no-plots",), 59, "--no-plots does nothing without --out"),
        (("--parquet",), 59, "--parquet does nothing without --out"),
        (("--out", "/proc/idleq"), 45, "/proc/idleq cannot be written"),
        (("--out", "x", "--engine", "fast", "--policy", "slurm"), 59, "the fast engine has no slurm"),
        (("--out", "x", "--mtbf", "5", "--semantics", "per-event"), 59, "go with per-timestamp"),
        (("--guests", "enough", "--no-plots"), 59, "--no-plots does nothing without --out"),
        (("--guests", "enough", "--parquet"), 59, "--parquet does nothing without --out"),
        (("--guests", "enough", "--window", "60"), 59, "--window does nothing without --mode window"),
        (
            ("--guests", "enough", "--cost", "5", "--costs", "from-journal:x"),
            59,
            "--cost does nothing beside --costs from-journal",
        ),
        (("--guests", "enough", "--no-guests"), 59, "--no-guests is for the main queue alone"),
        (("--guests", "enough", "--engine", "fast"), 59, "--engine fast is for the main queue alone"),
        (("--guests", "enough", "--semantics", "per-second"), 59, "semantics: it may be per-timestamp, per-event"),
        (("--guests", "enough", "--reservation", "nodes", "--policy", "slurm"), 59, "not for slurm"),
        (("--guests", "enough", "--reservation", "nodes", "--mtbf", "5"), 59, "with reservations by count"),
        (
            ("--guests", "enough", "--semantics", "per-event", "--memory", "3G", "--node-cores", "2"),
            59,
            "go with per-timestamp",
        ),
        (
            ("--guests", "enough", "--reservation", "nodes", "--placement", "best-fit", "--node-cores", "2"),
            59,
            "give jobs the lowest processors",
        ),
        (("--guests", "enough", "--mtbf", "5", "--node-cores", "2"), 59, "outages with guests go with nodes that main"),
        (("--guests", "enough", "--outages", "none.toml"), 48, "none.toml cannot be read"),
        (("--guests", "plenty"), 59, "guests: 'plenty' is neither enough nor stream:..., nor a job file that is here"),
        (("--guests", "stream:intervals=5"), 59, "guests: there is no key 'intervals'; did you mean 'interval'?"),
        (("--guests", "enough", "--strategies", "none,best"), 59, "with commas between; not 'best'"),
        (("--guests", "enough", "--strategies", "none,yung"), 59, "not 'yung'; did you mean 'young'?"),
        (("--guests", "enough", "--mode", "windows"), 59, "not 'windows'; did you mean 'window'?"),
        (("--guests", "enough", "--policy", "easyy"), 59, "not 'easyy'; did you mean 'easy'?"),
        (("--guests", "enough", "--strategies", "none,none"), 59, "each at most once, and at least one"),
        (("--guests", "enough", "--strategies", ","), 59, "each at most once, and at least one"),
        (("--guests", "enough", "--grace", "-1"), 59, "grace: it is at least 0"),
        (
            ("--guests", "enough", "--costs", "freezes=1"),
            59,
            "costs: there is no key 'freezes'; did you mean 'freeze'?",
        ),
        (("--guests", "enough", "--costs", "from-journal", "--costs", "freeze=1"), 59, "gives all costs"),
        (("--guests", "enough", "--replications", "0"), 59, "--replications is a number from 1 to 10000, not 0"),
        (("--guests", "enough", "--node-cores", "3"), 59, "2 processors are not made of nodes of 3"),
        (("--guests", "enough", "--from", "9"), 50, "site has no jobs that can run in the part"),
        (("--guests", "enough", "--out", "/proc/idleq"), 45, "/proc/idleq cannot be written"),
        (("--guests", "enough", "--strict", "--procs", "1"), 51, "asks for more than 1 processors"),
    ],
)
def test_what_cannot_be_has_a_reason_and_an_exit_code(
    idleq: CommandLine, site: str, home: Path, options: tuple[str, ...], code: int, message: str
) -> None:
    before = sorted(path.name for path in home.iterdir())
    outcome = idleq("simulate", site, *options)

    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err
    assert sorted(path.name for path in home.iterdir() if path.name != "cache") == before


def test_a_bad_job_file_is_named(idleq: CommandLine, site: str, home: Path) -> None:
    (home / "jobs.toml").write_text("[[job]]\ncomand = 5\n")
    outcome = idleq("simulate", site, "--guests", str(home / "jobs.toml"))
    assert outcome.code == BadJobFile.exit_code
    assert "jobs.toml" in outcome.err
    assert "did you mean 'command'?" in outcome.err


@pytest.mark.usefixtures("home")
def test_the_window_of_a_trace_holds_for_the_main_queue_alone_too(idleq: CommandLine) -> None:
    outcome = idleq("--json", "simulate", "small", "--from", "1", "--days", "1")
    whole = idleq("--json", "simulate", "small")
    assert 0 < json.loads(outcome.out)["trace"]["jobs"] < json.loads(whole.out)["trace"]["jobs"]
