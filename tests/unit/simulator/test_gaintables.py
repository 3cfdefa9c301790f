"""What a sweep's figures show."""

import pytest

from idleq.simulator.grid import Place
from idleq.simulator.rows import Row
from idleq.simulator.study.gaintables import MOST_LINES, gain_figures


def run(seed: int, gained: float, overhead: float = 0.0, **named: object) -> tuple[Place, Row]:
    """Return a run of grid "g" and its row; useful work is what was gained."""
    given = {"seed": seed, "trace": "t-{load}", **named}
    row: Row = {"gained": gained, "useful": gained, "overhead": overhead, "trace": "drawn", "trace_digest": "abc"}
    return Place(grid="g", named=given, point=given), row


def figures_of(*runs: tuple[Place, Row]) -> dict[str, list[tuple[object, ...]]]:
    found = gain_figures([place for place, _ in runs], [row for _, row in runs])
    return {figure.axis: list(figure.table.rows) for figure in found}


def test_each_number_that_varies_is_an_axis_and_what_else_varies_are_its_lines() -> None:
    runs = [run(1, load / 8 + cost / 64, cost=cost, load=load) for cost in (1, 2) for load in (5, 4)]
    assert figures_of(*runs) == {
        "cost": [("load 5", 1.0, 0.640625, None, 1, 0), ("load 5", 2.0, 0.65625, None, 1, 0),
                 ("load 4", 1.0, 0.515625, None, 1, 0), ("load 4", 2.0, 0.53125, None, 1, 0)],
        "load": [("cost 1", 4.0, 0.515625, None, 1, 0), ("cost 1", 5.0, 0.640625, None, 1, 0),
                 ("cost 2", 4.0, 0.53125, None, 1, 0), ("cost 2", 5.0, 0.65625, None, 1, 0)],
    }  # fmt: skip


def test_seeds_are_runs_of_one_place_and_give_it_an_interval() -> None:
    runs = [run(seed, gained, cost=cost) for seed, gained in ((1, 0.2), (2, 0.4)) for cost in (1, 2)]
    (first, _) = figures_of(*runs)["cost"]
    assert first[:3] == ("", 1.0, 0.30000000000000004)
    assert first[3:5] == (pytest.approx(12.706 * 0.1, abs=1e-4), 2)  # Student's t for one degree of freedom


def test_guests_lose_where_nothing_is_gained_or_overhead_is_more_than_useful_work() -> None:
    runs = [run(1, 0.2, 0.1, cost=1), run(1, 0.2, 0.3, cost=2), run(1, 0.0, 0.0, cost=3), run(1, -0.1, 0.0, cost=4)]
    assert [row[5] for row in figures_of(*runs)["cost"]] == [0, 1, 1, 1]


def test_a_text_that_varies_gives_lines_and_no_axis_and_what_does_not_vary_gives_neither() -> None:
    runs = [run(1, 0.1, strategy=one, cost=cost, grace=0) for one in ("young", "idleq") for cost in (1, 2)]
    found = figures_of(*runs)
    assert list(found) == ["cost"]
    assert list(dict.fromkeys(row[0] for row in found["cost"])) == ["strategy young", "strategy idleq"]


def test_a_figure_of_more_lines_than_can_be_told_apart_is_left_out() -> None:
    runs = [run(1, 0.1, cost=cost, load=load) for cost in (1, 2) for load in range(MOST_LINES + 1)]
    assert list(figures_of(*runs)) == ["load"]
