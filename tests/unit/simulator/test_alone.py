"""A main queue alone as a folder of results: the numbers of the run without guests, and nothing said of guests."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from idleq.ids import Millis
from idleq.simulator.gaincount import clipped
from idleq.simulator.harvest import IdleGap, gaps_between
from idleq.simulator.mainrun import Engine, MainSettings, run_main
from idleq.simulator.places import Places
from idleq.simulator.scenariokeys import plain, scenario_of
from idleq.simulator.sources import load_trace
from idleq.simulator.stage import begin_of, part_of
from idleq.simulator.strategies import Strategy
from idleq.simulator.study.alone import alone
from idleq.simulator.study.comparison import NUMBERS_ALONE, Comparison, compare
from idleq.simulator.study.figures import all_tables, areas, gaps, waits, weeks
from idleq.simulator.study.measures import basis, lines
from idleq.simulator.study.output import numbers_of, page_of, tables_of
from idleq.simulator.study.results import csv_of, intervals, origin_of, value_of

DAY = "synthetic:nodes=16,jobs=80,load=0.7,hours=1,seed=3"
MONTH = "synthetic:nodes=8,jobs=400,load=0.7,hours=6,seed=3"


def run_alone(folder: Path, **given: object) -> Comparison:
    """Run the main queue on the log's own clock, as `idleq simulate` without guests does."""
    scenario = scenario_of({"trace": MONTH, **given})
    trace = load_trace(scenario.trace, Places(data=folder, cache=folder), None)
    zero = 0
    if "from" in given:
        zero = begin_of(trace, scenario.begin_days)
        trace = part_of(trace, scenario.begin_days, scenario.days)
    submit = trace.table.submit
    outages = scenario.outage_source.outages(trace.processors, int(submit[0]), int(submit[-1]), zero=zero)
    settings = MainSettings(policy=scenario.policy, estimates=scenario.estimates, seed=scenario.seed, outages=outages)
    begin = 0 if "from" in given else int(submit[0])
    return alone(scenario, trace, run_main(trace, settings, folder), Engine.SIMPY, outages, begin)


def without_guests(folder: Path, **given: object) -> Comparison:
    scenario = scenario_of({"trace": MONTH, **given})
    return compare(scenario, [Strategy.NONE], 1, Places(data=folder, cache=folder))


def numbers(comparison: Comparison) -> dict[str, Any]:
    found = dict(comparison.gains[Strategy.NONE][0].flat())
    return {name: found[name] for name in NUMBERS_ALONE - {"gap_median_s"}}


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return run_alone(tmp_path_factory.mktemp("month"))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"policy": "fcfs"},
        # Slurm's passes lie on the clock: from the same second on.
        {"policy": "slurm", "estimates": "model", "from": 0},
        {"from": 3, "days": 30},
        {"mtbf": 50, "repair": 12},
        {"mtbf": 50, "from": 3},
    ],
)
def test_the_numbers_are_those_of_a_comparison_in_which_no_guest_comes(tmp_path: Path, given: dict[str, Any]) -> None:
    found, known = run_alone(tmp_path, **given), without_guests(tmp_path, **given)

    assert numbers(found) == pytest.approx(numbers(known))
    stage = known.first[Strategy.NONE].stage
    lengths = sorted(gap.length_ms / 1000 for gap in clipped(stage.gaps, stage.since, stage.until))
    assert found.gains[Strategy.NONE][0].site.gap_median_s == lengths[(len(lengths) - 1) // 2]
    for name in ("main", "idle", "wait_s", "slowdown"):
        assert found.weeks[Strategy.NONE][name] == pytest.approx(known.weeks[Strategy.NONE][name])
        assert found.interval(Strategy.NONE, name) is not None
    for table_of in (areas, gaps, waits):
        ours, theirs = (np.asarray([row[1:] for row in table_of(one).rows], dtype=float) for one in (found, known))
        assert ours == pytest.approx(theirs, abs=0.002)


def test_a_log_that_begins_later_changes_nothing(tmp_path: Path) -> None:
    rows = [(1, 0, 100, 2), (2, 0, 70, 3), (3, 40, 100, 2), (4, 300, 50, 1)]
    found = []
    for name, zero in (("now", 0), ("later", 5000)):
        lines_ = [f"{job} {submit + zero} 0 {run} {size} -1 -1 {size} 200" for job, submit, run, size in rows]
        (tmp_path / name).write_text("; MaxProcs: 3\n" + "\n".join(lines_) + "\n")
        found.append(numbers(run_alone(tmp_path, trace=str(tmp_path / name))))
    assert found[0] == found[1]


def test_the_idle_area_is_what_the_utilisation_leaves(month: Comparison) -> None:
    assert month.alone is not None
    site, shares = month.gains[Strategy.NONE][0].site, month.gains[Strategy.NONE][0].shares
    assert shares.main == pytest.approx(month.alone.run.metrics.utilisation)
    assert site.idle_core_h == pytest.approx(shares.idle * 8 * (site.until_s - site.since_s) / 3600)


def test_gaps_lie_on_the_lowest_units_that_are_free() -> None:
    held = [(10, 30, 1), (50, 60, 3), (55, 55, 1), (70, 90, 2), (95, 99, 1)]
    assert sorted(gaps_between(held, 4, Millis(90))) == [
        IdleGap(0, Millis(0), Millis(10), 1),
        IdleGap(0, Millis(30), Millis(50), 1),
        IdleGap(0, Millis(60), Millis(70), 2),
        IdleGap(1, Millis(0), Millis(50), 2),
        IdleGap(2, Millis(60), Millis(90), 1),
        IdleGap(3, Millis(0), Millis(90), 1),
    ]


def test_between_two_that_follow_at_once_there_is_no_gap() -> None:
    assert gaps_between([(0, 40, 2), (40, 90, 1), (40, 90, 1)], 2, Millis(90)) == []


def test_a_week_is_drawn_beside_the_whole_and_its_interval(month: Comparison) -> None:
    rows = weeks(month).rows
    whole = month.interval(Strategy.NONE, "slowdown")
    assert whole is not None
    assert {row[1] for row in rows} == {"wait_s", "slowdown", "main"}
    assert {row[4:] for row in rows if row[1] == "slowdown"} == {(whole.mean, whole.half_width)}
    assert [row[3] for row in rows if row[1] == "slowdown"] == month.weeks[Strategy.NONE]["slowdown"]
    assert (
        basis(month) == f"Without warm-up and drain; ± is the 95 % interval of its {whole.count} weeks (batch means)."
    )


def test_a_short_run_has_numbers_and_no_interval(tmp_path: Path) -> None:
    found = run_alone(tmp_path, trace=DAY)
    assert basis(found) == "Without warm-up and drain; less than 3 weeks: no intervals."
    assert [table.name for table in all_tables(found)] == ["areas", "gaps", "waits"]
    assert {row[3] for row in intervals(found).rows} == {None}


def test_every_number_is_of_the_main_queue(month: Comparison) -> None:
    value = json.loads(json.dumps(value_of(month, "9.9")))
    assert value["strategies"]["none"]["means"].keys() <= NUMBERS_ALONE
    assert value["strategies"]["none"]["runs"][0].keys() == NUMBERS_ALONE | {"seed"}
    assert not value["scenario"].keys() & {"guests", "costs", "grace", "node_cores", "strategy"}
    assert plain(replace(scenario_of(value["scenario"]), strategy=Strategy.NONE)) == plain(month.scenario)
    assert (value["engine"], value["metrics"]["jobs"], value["metrics"]["tau"]) == ("simpy", 400, 10)
    shown = {line.measure.name for line in lines(month)}
    assert shown == {"main", "idle", "wait_s", "wait_median_s", "wait_p95_s", "wait_max_s", "slowdown"}


def test_every_file_says_what_it_was_made_from(month: Comparison) -> None:
    origin = origin_of(month, "9.9")
    tables = tables_of(month)
    assert [table.name for table in tables] == ["results", "areas", "gaps", "waits", "weeks", "intervals"]
    for table in tables:
        first, header, *rows = csv_of(table, origin).decode().splitlines()
        assert first == f"# idleq 9.9; trace synthetic {MONTH}; seed 1"
        assert tuple(next(csv.reader(io.StringIO(header)))) == table.columns
        assert len(rows) == len(table.rows) > 0
    files = numbers_of(month, "9.9", tables, with_parquet=False)
    assert files.keys() == {f"{table.name}.csv" for table in tables} | {"results.json"}


def test_the_page_needs_nothing_else_and_says_nothing_of_guests(month: Comparison) -> None:
    pytest.importorskip("matplotlib")
    files = page_of(month, "9.9", tables_of(month), with_plots=True)
    assert files.keys() == {"areas.png", "gaps.png", "waits.png", "weeks.png", "index.html"}
    page = files["index.html"].decode()
    words = re.sub(r"<svg.*?</svg>|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert page.count("<svg") == 4
    assert "The main queue of synthetic" in words
    assert "tau 10 s" in words
    assert not re.findall(r"guest|harvest|effective|thaw|strateg", words + page[page.index("<svg") :], re.IGNORECASE)
    assert not re.findall(r"<(?:script|link|img|iframe)\b|@import|url\((?!#)", page)
    assert files == page_of(month, "9.9", tables_of(month), with_plots=True)


def test_what_outages_took_is_a_layer_of_its_own_and_drawn_where_there_is_any(
    tmp_path: Path, month: Comparison
) -> None:
    found = run_alone(tmp_path, mtbf=50, repair=12)
    (gain,) = found.gains[Strategy.NONE]
    columns, hours = areas(found).columns, (gain.site.until_s - gain.site.since_s) / 3600
    for name, share in (("main", gain.shares.main), ("killed", gain.shares.killed), ("away", gain.shares.away)):
        place = columns.index(f"{name}_cores")
        held = sum(
            float(row[place] or 0) * (float(row[2] or 0) - float(row[1] or 0)) / 3600 for row in areas(found).rows
        )
        assert held == pytest.approx((share or 0) * 8 * hours, abs=0.001 * hours)
        assert held > 0
    assert {"killed", "away"} <= {line.measure.name for line in lines(found)}

    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from idleq.simulator.study.plots import draw_areas

    drawn = []
    for comparison in (found, month):
        figure = Figure()
        draw_areas(figure, areas(comparison))
        drawn.append([text.get_text() for text in figure.legends[0].get_texts()])
    assert drawn == [["main jobs", "killed main jobs", "away", "idle", "capacity"], ["main jobs", "idle", "capacity"]]
