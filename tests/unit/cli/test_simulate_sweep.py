"""`idleq simulate sweep`, and how it stands beside `idleq simulate TRACE`."""

import csv
import json
from pathlib import Path

import pytest

from idleq.simulator.checkpoint import code_digest
from idleq.simulator.errors import BadOutages
from idleq.simulator.places import Places
from idleq.simulator.sweeprun import load_sweep
from support.command_line import CommandLine, Outcome

SMALL = """
seeds = 2

[common]
days = 0.3
cost = 60

[grid.load]
nodes = 16
demand = [0.6, 0.9]
trace = "synthetic:nodes={nodes},jobs=150,load={demand},seed={seed}"

[grid.strategies]
seeds = 1
trace = "small"
strategy = ["young", "idleq"]
costs = {freeze = 30}
"""


@pytest.fixture
def home(idleq: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, which is also where one is."""
    idleq.environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    (tmp_path / "my.toml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sweep_draws_the_gain_over_what_it_varies(idleq: CommandLine, home: Path) -> None:
    outcome = idleq("simulate", "sweep", "my.toml", "--processes", "1", "--figures", "figures", "--json")
    assert (outcome.code, json.loads(outcome.out)["figures"]) == (0, str(home / "figures"))
    made = {path.name: path.read_bytes() for path in (home / "figures").iterdir() if path.suffix}
    assert sorted(made) == ["index.html", "load-demand.csv", "load-demand.png"]
    lines = made["load-demand.csv"].decode().splitlines()
    assert lines[0].startswith("# idleq ")
    assert lines[0].endswith("; trace synthetic:nodes={nodes},jobs=150,load={demand},seed={seed} ; seeds 1 to 2")
    assert (lines[1], len(lines)) == ("line,at,gained,half_width_95,count,loses", 4)
    assert made["load-demand.png"].startswith(b"\x89PNG")
    assert b"load: gain over demand" in made["index.html"]


def test_figures_take_no_other_folders_place(idleq: CommandLine, home: Path) -> None:
    (home / "figures").mkdir()
    (home / "figures" / "thesis.tex").touch()
    assert idleq("simulate", "sweep", "my.toml", "--figures", "figures").code == 45
    assert not (home / "my.csv").exists()


@pytest.mark.parametrize(
    ("more", "runs"), [("", None), ("shake = 60", 2), ("costs = {freeze_fails = 0.1}", 2), ('estimates = "model"', 2)]
)
def test_seeds_that_change_nothing_are_told(idleq: CommandLine, home: Path, more: str, runs: int | None) -> None:
    (home / "my.toml").write_text(f'seeds = 2\n[grid.one]\ntrace = "small"\n{more}\n')
    outcome = idleq("simulate", "sweep", "my.toml", "--check", "--json")
    if runs is None:
        assert outcome.code == 41
        assert "nothing is drawn: give shake = 60" in json.loads(outcome.out)["error"]["message"]
    else:
        assert json.loads(outcome.out)["runs"] == runs


def test_a_sweep_writes_a_row_for_each_combination(idleq: CommandLine, home: Path) -> None:
    outcome = idleq("simulate", "sweep", "my.toml", "--processes", "2")

    assert (outcome.code, outcome.out) == (0, f"my.toml: 6 rows of 6 runs, in {home / 'my.csv'}\n")
    with (home / "my.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["grid"], row["seed"], row["demand"], row["strategy"]) for row in rows] == [
        ("load", "1", "0.6", ""),
        ("load", "1", "0.9", ""),
        ("load", "2", "0.6", ""),
        ("load", "2", "0.9", ""),
        ("strategies", "1", "", "young"),
        ("strategies", "1", "", "idleq"),
    ]
    assert rows[0]["trace"] == rows[0]["trace_digest"] == "synthetic:nodes=16,jobs=150,load=0.6,seed=1"
    assert rows[4]["costs"] == '{"freeze": 30}'
    assert all(float(row["main"]) > 0 and len(row["idleq"]) > 2 for row in rows)
    assert {row["code"] for row in rows} == {code_digest()[:16]}

    content = (home / "my.csv").read_bytes()
    (home / "my.csv").unlink()
    (home / "my.csv.rows").unlink()
    assert idleq("simulate", "sweep", "my.toml", "--processes", "1").code == 0
    assert (home / "my.csv").read_bytes() == content


def test_parquet_has_the_rows_and_columns_of_the_csv_file(idleq: CommandLine, home: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    outcome = idleq("simulate", "sweep", "my.toml", "--processes", "2", "--parquet", "--quiet")

    assert (outcome.code, outcome.out.split()) == (0, [str(home / "my.csv"), str(home / "my.parquet")])
    table = parquet.read_table(home / "my.parquet")
    with (home / "my.csv").open() as file:
        written = list(csv.reader(file))
    rows = [["" if cell is None else str(cell) for cell in row.values()] for row in table.to_pylist()]
    assert [table.column_names, *rows] == written
    assert table.schema.metadata[b"code"].decode().startswith(table.to_pylist()[0]["code"])


def test_a_changed_file_of_outages_makes_another_run(home: Path) -> None:
    file, places = home / "failing.toml", Places(data=home, cache=home)
    file.write_text('[grid.failing]\ntrace = "small"\noutages = "away.csv"\n')
    with pytest.raises(BadOutages, match=r"grid failing.*away[.]csv cannot be read"):
        load_sweep(file, places)
    keys: list[str] = []
    for until in (20, 30):
        (home / "away.csv").write_text(f"kind,from,until,nodes\noutage,10,{until},0\n")
        keys += load_sweep(file, places).keys
    assert keys[0] != keys[1]


def test_a_longer_sweep_runs_what_is_new_only(idleq: CommandLine, home: Path) -> None:
    (home / "my.toml").write_text('[common]\ndays = 0.2\n[grid.a]\ntrace = "small"\ncost = 5\n')
    assert idleq("simulate", "sweep", "my.toml", "--out", "rows.json").code == 0
    (home / "my.toml").write_text(
        '[common]\ndays = 0.2\n[grid.a]\ntrace = "small"\ncost = [50, 5]\n[grid.b]\ntrace = "small"\n'
    )
    assert idleq("simulate", "sweep", "my.toml", "--out", "rows.json").code == 0
    rows = json.loads((home / "rows.json").read_text())
    assert [(row["grid"], row.get("cost")) for row in rows] == [("a", 50), ("a", 5), ("b", None)]
    assert len((home / "rows.json.rows").read_text().splitlines()) == 1 + 3


@pytest.mark.usefixtures("home")
def test_a_check_says_how_much_is_asked_for_and_runs_nothing(idleq: CommandLine, home: Path) -> None:
    outcome = idleq("--json", "simulate", "sweep", "my.toml", "--check")
    assert (outcome.code, json.loads(outcome.out)) == (0, {"rows": 6, "runs": 6, "out": None})
    assert [path.name for path in home.iterdir() if "csv" in path.name] == []


@pytest.mark.parametrize(
    ("text", "arguments", "code", "said"),
    [
        ("[grid.a]\ntrace = 'small'\nprice = 1", (), 41, "grid a: there is no 'price'"),
        ("[grid.a]\ntrace = 'small'\ngrace = []", (), 41, "grace has no value"),
        ("[grid.a]\ncost = 1", (), 41, "a scenario needs a trace"),
        ("[grid.a]\ntrace = 'small'\nstrategy = ['idleq', 'best']", (), 41, "strategy: it may be"),
        ("[grid.a]\ntrace = 'small'\ngrace = -1", (), 41, "grace: "),
        ("[grid.a]\ntrace = 'synthetic:load=0'", (), 41, "a load above 0"),
        (
            "[grid.a]\ntrace = 'nothing'",
            (),
            57,
            "my.toml: grid a: there is no file and no trace 'nothing': if you have its log, `idleq traces add FILE --name nothing`",
        ),
        ("[grid.a]\ntrace = 'small'\nprocs = 8\nnode_cores = [1, 3]", ("--check",), 41, "not made of nodes of 3"),
        ("[grid.a]\ntrace = 'synthetic:nodes=8'\nnode_cores = [1, 3]", (), 41, "not made of nodes of 3"),
        ("[grid.a]\ntrace = 'small'\nfrom = [0, 1000]", (), 50, "no jobs that can run in the part"),
        ("what?", (), 41, "cannot be read"),
        (SMALL, ("--out", "rows.txt"), 38, ".csv or .json"),
        (SMALL, ("--out", "no/rows.csv"), 38, "its folder must be there"),
        (SMALL, ("--out", "/proc/rows.csv"), 38, "its folder must be there"),
        (SMALL, ("--processes", "0"), 2, "at least 1"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(
    idleq: CommandLine, home: Path, text: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (home / "my.toml").write_text(text)
    outcome = idleq("simulate", "sweep", "my.toml", *arguments)
    assert (outcome.code, said in outcome.err, outcome.out) == (code, True, "")
    assert sorted(path.name for path in home.iterdir() if path.name != "cache") == ["my.toml"]


def test_a_sweep_that_is_not_there_is_named_once(idleq: CommandLine) -> None:
    assert idleq("simulate", "sweep", "none.toml") == Outcome(
        41, "", "idleq: none.toml cannot be read: No such file or directory\n"
    )


def test_a_file_of_other_rows_is_refused_and_stays(idleq: CommandLine, home: Path) -> None:
    (home / "my.csv.rows").write_text("other\n")
    assert idleq("simulate", "sweep", "my.toml").code == 40
    assert (home / "my.csv.rows").read_text() == "other\n"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("simulate", "small"), 0),
        (("simulate", "--policy", "fcfs", "small"), 0),
        (("--json", "simulate", "--json", "small"), 0),
        (("simulate", "--", "sweep"), 57),
        (("simulate", "./sweep"), 57),
        (("simulate", "run"), 57),
        (("simulate",), 2),
        (("simulate", "sweep"), 2),
    ],
)
def test_a_word_that_names_no_command_is_a_trace(idleq: CommandLine, arguments: tuple[str, ...], code: int) -> None:
    assert idleq(*arguments).code == code


def test_help_names_the_options_of_the_run_and_the_other_commands(
    idleq: CommandLine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert idleq("simulate", "--help").code == 0
    said = capsys.readouterr().out
    assert "Usage: idleq simulate [OPTIONS]" in said
    assert "--policy" in said
    assert "  sweep  " in said
