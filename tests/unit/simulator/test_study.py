"""A comparison: its intervals, tables, figures, page and folder."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from idleq.simulator.checkpoint import unpack
from idleq.simulator.errors import ImpossibleParameters, ResultsNotKept
from idleq.simulator.gaincount import Gain, Recorded
from idleq.simulator.harm import interval
from idleq.simulator.keeper import Keeper
from idleq.simulator.places import Places
from idleq.simulator.scenariokeys import plain, scenario_of
from idleq.simulator.strategies import Strategy
from idleq.simulator.study import folder
from idleq.simulator.study.comparison import Comparison, compare
from idleq.simulator.study.figures import all_tables, areas, bars, gantt, gaps, waits
from idleq.simulator.study.folder import check_folder, write_folder
from idleq.simulator.study.measures import basis, lines
from idleq.simulator.study.output import RESULTS, numbers_of, page_of, tables_of
from idleq.simulator.study.results import csv_of, origin_of, table_of, value_of

SITE = "synthetic:nodes=16,jobs=80,load=0.7,hours=1,seed=3"
MONTH = "synthetic:nodes=8,jobs=400,load=0.7,hours=6,seed=3"
STRATEGIES = (Strategy.NONE, Strategy.IDLEQ)


def files_of(comparison: Comparison, version: str, *, with_plots: bool, with_parquet: bool) -> dict[str, bytes]:
    tables = tables_of(comparison)
    numbers = numbers_of(comparison, version, tables, with_parquet=with_parquet)
    return numbers | page_of(comparison, version, tables, with_plots=with_plots)


class Drawer:
    """Keeps everything, and gives nothing back."""

    def __init__(self, kept: list[bytes]) -> None:
        self._kept = kept

    def kept(self) -> list[tuple[str, Callable[[], bytes]]]:
        return []

    def write(self, packed: bytes) -> None:
        self._kept.append(packed)


def compared(tmp_path: Path, replications: int = 1, **given: object) -> Comparison:
    scenario = scenario_of({"trace": SITE, "cost": 20, **given})
    return compare(scenario, STRATEGIES, replications, Places(data=tmp_path, cache=tmp_path))


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compared(tmp_path_factory.mktemp("one"), grace=10)


@pytest.fixture(scope="module")
def shared_nodes(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compared(tmp_path_factory.mktemp("shared"), node_cores=4)


def test_each_replication_has_a_seed_of_its_own_that_all_strategies_share(tmp_path: Path) -> None:
    found = compared(tmp_path, 3, shake=60)
    assert [found.seeds, found.replications] == [range(1, 4), 3]
    mains = [[gain.site.main_alone for gain in gains] for gains in found.gains.values()]
    assert mains[0] == mains[1]
    assert len(set(mains[0])) == 3
    harvests = found.numbers(Strategy.IDLEQ, "harvest")
    assert found.interval(Strategy.IDLEQ, "harvest") == interval(harvests)
    assert "Means over 3 replications, in each of which every main job comes in up to 60 s later" in basis(found)


def test_only_the_first_seeds_runs_are_kept_with_all_that_was_recorded(tmp_path: Path) -> None:
    kept = list[bytes]()
    keeper = Keeper(Drawer(kept), "a", clock=lambda: 0.0)
    scenario = scenario_of({"trace": SITE, "cost": 20, "shake": 60})
    compare(scenario, STRATEGIES, 2, Places(data=tmp_path, cache=tmp_path), keeper=keeper)
    keeper.keep_results()
    done = cast("dict[str, Any]", unpack(kept[0], "a"))["done"]
    assert [type(one) for one in done.values()] == [Recorded, Recorded, Gain, Gain]


def test_of_a_single_long_run_the_weeks_give_the_interval(tmp_path: Path) -> None:
    found = compared(tmp_path, trace=MONTH)
    whole = found.gains[Strategy.IDLEQ][0].shares.effective
    effective = found.interval(Strategy.IDLEQ, "effective")
    assert effective is not None
    assert (effective.mean, effective.count) == (whole, len(found.weeks[Strategy.IDLEQ]["effective"]))
    assert effective.half_width is not None
    assert re.fullmatch(r"One run; ± is the 95 % interval of its \d+ weeks \(batch means\)\.", basis(found))


def test_a_weeks_waits_are_those_of_the_jobs_that_end_in_it_without_guests(tmp_path: Path) -> None:
    found = compared(tmp_path, trace=MONTH)
    stage = found.first[Strategy.NONE].stage
    by_week: dict[int, list[int]] = {}
    for job in stage.counted:
        week = (stage.starts[job.id] + job.run - stage.since) // (7 * 86_400_000)
        by_week.setdefault(week, []).append(stage.starts[job.id] - job.submit)
    whole = range((stage.until - stage.since) // (7 * 86_400_000))
    means = [sum(by_week[week]) / len(by_week[week]) / 1000 for week in whole]
    assert found.weeks[Strategy.NONE]["wait_s"] == pytest.approx(means)


def test_of_a_single_short_run_there_is_no_interval(comparison: Comparison) -> None:
    harvest = comparison.interval(Strategy.IDLEQ, "harvest")
    assert harvest is not None
    assert (harvest.half_width, harvest.count) == (None, 1)
    assert basis(comparison) == "One run of few weeks: no intervals. --replications N gives them."


def test_strategies_are_named_once_and_at_least_one(tmp_path: Path) -> None:
    for strategies, replications in (((), 1), ((Strategy.NONE, Strategy.NONE), 1), (STRATEGIES, 0)):
        with pytest.raises(ImpossibleParameters, match="at least one replication, and strategies that differ"):
            compare(scenario_of({"trace": SITE}), strategies, replications, Places(data=tmp_path, cache=tmp_path))


def test_the_table_says_nothing_of_guests_where_there_are_none(comparison: Comparison) -> None:
    cells = {line.measure.name: line.cells for line in lines(comparison)}
    assert cells["harvest"][0] == cells["harm_max_s"][0] == cells["wait_change_s"][0] == "-"
    assert cells["effective"][0] == cells["main"][0] != cells["effective"][1]
    assert "turnaround_s" not in cells


def test_a_stream_of_guests_has_turnarounds(tmp_path: Path) -> None:
    found = compared(tmp_path, guests="stream:interval=300,run=300")
    cells = {line.measure.name: line.cells for line in lines(found)}
    assert cells["guests_per_day"][0] == "-"
    assert float(cells["stretch"][1]) >= 1


def test_the_layers_of_each_step_sum_to_the_capacity(shared_nodes: Comparison) -> None:
    table = areas(shared_nodes)
    assert {row[0] for row in table.rows} == {"none", "idleq"}
    for row in table.rows:
        assert sum(float(cell or 0) for cell in row[3:]) == pytest.approx(16, abs=0.01)


def test_the_gap_figure_has_all_of_the_idle_area(shared_nodes: Comparison) -> None:
    site = shared_nodes.gains[Strategy.NONE][0].site
    assert sum(float(row[3] or 0) for row in gaps(shared_nodes).rows) == pytest.approx(site.idle_core_h, abs=0.01)


def test_waits_and_slowdowns_rise_from_the_least_to_the_most(comparison: Comparison) -> None:
    rows = [row for row in waits(comparison).rows if row[0] == "idleq"]
    assert [row[1] for row in (rows[0], rows[-1])] == [0.0, 1.0]
    assert rows == sorted(rows, key=lambda row: (row[1], row[2], row[3]))
    assert rows[-1][2] == comparison.gains[Strategy.IDLEQ][0].main.wait_max_s


def test_no_core_of_a_node_is_drawn_twice(shared_nodes: Comparison) -> None:
    for node in range(4):
        rows = [row for row in gantt(shared_nodes).rows if row[0] == node]
        ticks = sorted({float(row[at] or 0) for row in rows for at in (1, 2)})
        for tick in ticks:
            there = [row for row in rows if float(row[1] or 0) <= tick < float(row[2] or 0)]
            bands = sorted((float(row[4] or 0), float(row[4] or 0) + float(row[5] or 0)) for row in there)
            assert all(high <= low + 0.01 for (_, high), (low, _) in pairwise(bands))
            assert not bands or bands[-1][1] <= 4.01


def test_a_guest_fills_the_row_of_its_processor(comparison: Comparison) -> None:
    rows = gantt(comparison).rows
    assert {row[4:] for row in rows} == {(0.0, 1.0)}
    assert "useful" in {row[3] for row in rows}


def test_what_has_no_interval_is_drawn_and_captioned_without(comparison: Comparison) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from idleq.simulator.study.plots import draw_bars

    without, of_one = Figure(), bars(comparison)
    draw_bars(without, of_one)
    with_intervals = Figure()
    draw_bars(with_intervals, replace(of_one, rows=[(*row[:3], 0.01, *row[4:]) for row in of_one.rows]))
    assert [len(figure.axes[0].lines) > 0 for figure in (without, with_intervals)] == [False, True]
    page = files_of(comparison, "1", with_plots=True, with_parquet=False)["index.html"].decode()
    assert "95 % intervals" not in page


def test_what_is_gained_are_percentage_points(comparison: Comparison) -> None:
    assert {line.measure.unit for line in lines(comparison) if line.measure.name == "gained"} == {"% points"}


def test_every_file_says_what_it_was_made_from(comparison: Comparison) -> None:
    origin = origin_of(comparison, "9.9")
    assert origin.line == f"idleq 9.9; trace synthetic {SITE}; seed 1"
    for table in (table_of(comparison), *all_tables(comparison)):
        first, header, *rows = csv_of(table, origin).decode().splitlines()
        assert first == f"# {origin.line}"
        assert tuple(next(csv.reader(io.StringIO(header)))) == table.columns
        assert len(rows) == len(table.rows) > 0


def test_the_value_holds_the_scenario_from_which_it_can_be_made_again(comparison: Comparison) -> None:
    value = json.loads(json.dumps(value_of(comparison, "9.9")))
    again = {**value["scenario"], "strategy": "none"}
    assert plain(scenario_of(again)) == plain(comparison.scenario)
    assert list(value["strategies"]) == ["none", "idleq"]
    runs = value["strategies"]["idleq"]["runs"]
    assert runs == [{"seed": 1, **dict(comparison.gains[Strategy.IDLEQ][0].flat())}]


def test_the_page_needs_nothing_else_and_escapes_what_it_is_given(comparison: Comparison) -> None:
    page = files_of(comparison, "9.9<b>", with_plots=False, with_parquet=False)["index.html"].decode()
    assert not re.findall(r"<(?:script|link|img|iframe)\b|@import|url\(", page)
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?!#)", page)
    assert "9.9&lt;b&gt;" in page
    assert SITE in page


def test_figures_are_drawn_into_the_page_and_beside_it(comparison: Comparison) -> None:
    pytest.importorskip("matplotlib")
    files = files_of(comparison, "9.9", with_plots=True, with_parquet=False)
    names = {"areas", "gantt", "gaps", "strategies", "waits"}
    assert {name for name in files if name.endswith(".png")} == {f"{name}.png" for name in names}
    assert all(files[f"{name}.png"].startswith(b"\x89PNG") for name in names)
    page = files["index.html"].decode()
    assert page.count("<svg") == len(names)
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?!#)[\"']", page.replace('href="#', ""))
    assert files == files_of(comparison, "9.9", with_plots=True, with_parquet=False)


def test_the_figure_of_gaps_marks_what_a_guest_of_that_size_costs(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = compared(tmp_path, costs={"freeze_per_gb": 60, "bytes": 1_000_000_000})
    page = files_of(found, "9.9", with_plots=True, with_parquet=False)["index.html"].decode()
    assert "thaw + freeze, 100 s" in page


def test_parquet_has_the_same_rows_and_says_what_it_was_made_from(comparison: Comparison) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    files = files_of(comparison, "9.9", with_plots=False, with_parquet=True)
    read = parquet.read_table(io.BytesIO(files["results.parquet"]))
    assert read.column_names == list(table_of(comparison).columns)
    assert [tuple(row.values()) for row in read.to_pylist()] == list(table_of(comparison).rows)
    assert read.schema.metadata[b"trace"] == b"synthetic"


def test_a_folder_is_replaced_whole_if_it_is_ours(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_folder(out, {"results.json": b'{"idleq": "1"}', "old.csv": b""})
    write_folder(out, {"results.json": b'{"idleq": "2"}'})
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        "results.json": b'{"idleq": "2"}',
        folder.MARKER: b'["results.json"]',
    }
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_is_written_over_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("")
    for name, message in (("mine", "no result of idleq"), ("file", "is no folder"), ("no/where", "its folder must be")):
        with pytest.raises(ResultsNotKept, match=message):
            check_folder(tmp_path / name)
        with pytest.raises(ResultsNotKept, match=message):
            write_folder(tmp_path / name, {"results.json": b"{}"})
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_results_beside_somebodys_own_files_make_no_folder_ours(tmp_path: Path) -> None:
    mine, ours = tmp_path / "mine", tmp_path / "ours"
    mine.mkdir()
    (mine / "results.json").write_text('{"idleq": "1"}')
    write_folder(ours, {"results.json": b'{"idleq": "1"}'})
    for out in (mine, ours):
        (out / "thesis.tex").write_text("years of work")
        with pytest.raises(ResultsNotKept, match="no result of idleq"):
            write_folder(out, {"results.json": b"{}"})
        assert (out / "thesis.tex").read_text() == "years of work"


def test_that_nothing_can_be_written_is_told_before_anything_is_run() -> None:
    with pytest.raises(ResultsNotKept, match="its folder must be there and be yours"):
        check_folder(Path("/proc/idleq"))  # where root may write, says the mode


@pytest.mark.parametrize("above", [".", ".."])
def test_the_folder_where_one_is_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, above: str) -> None:
    write_folder(tmp_path / "out", {"results.json": b"{}"})
    (tmp_path / "out" / "in").mkdir()
    monkeypatch.chdir(tmp_path / "out" / "in")
    with pytest.raises(ResultsNotKept, match="the folder you are in, or above it"):
        check_folder(Path(above))


def test_a_folder_that_cannot_be_written_whole_is_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_folder(out, {RESULTS: b'{"idleq": "1"}'})
    with pytest.raises(ResultsNotKept, match="cannot be written"):
        write_folder(out, {RESULTS: b'{"idleq": "2"}', "no/such/folder": b""})
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (out / RESULTS).read_bytes() == b'{"idleq": "1"}'
