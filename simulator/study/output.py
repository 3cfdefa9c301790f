"""All files of a comparison: the page, the figures, and the numbers as JSON, CSV and Parquet."""

import json
from collections.abc import Sequence

from idleq.simulator.gaincount import way_ms
from idleq.simulator.parquet import check_parquet
from idleq.simulator.study.comparison import Comparison
from idleq.simulator.study.figures import FigureTable, all_tables
from idleq.simulator.study.page import render
from idleq.simulator.study.plots import check_installed, drawn
from idleq.simulator.study.results import as_parquet, csv_of, intervals, origin_of, table_of, value_of

PAGE, RESULTS = "index.html", "results.json"
UNDRAWN = ("results", "intervals")
"""Tables of which there is no figure."""


def check_can_make(*, with_plots: bool, with_parquet: bool) -> None:
    """Notice before anything long is done that a package is missing.

    Raises:
        PlotsMissing, ParquetMissing: so it is.
    """
    if with_plots:
        check_installed()
    if with_parquet:
        check_parquet()


def tables_of(comparison: Comparison) -> tuple[FigureTable, ...]:
    """Return all numbers as tables: those of the runs, those of each figure, and of a main queue alone the intervals."""
    others = () if comparison.alone is None else (intervals(comparison),)
    return (table_of(comparison), *all_tables(comparison), *others)


def numbers_of(
    comparison: Comparison, version: str, tables: Sequence[FigureTable], *, with_parquet: bool
) -> dict[str, bytes]:
    """Return all numbers of *comparison* as files, by name: what is there before anything is drawn."""
    origin = origin_of(comparison, version)
    files = {f"{table.name}.csv": csv_of(table, origin) for table in tables}
    if with_parquet:
        files |= {f"{table.name}.parquet": as_parquet(table, origin) for table in tables}
    return files | {RESULTS: json.dumps(value_of(comparison, version), indent=2).encode() + b"\n"}


def page_of(
    comparison: Comparison, version: str, tables: Sequence[FigureTable], *, with_plots: bool
) -> dict[str, bytes]:
    """Return the page of *comparison* and its figures, by name."""
    marks = {
        "cost_s": way_ms(comparison.scenario) / 1000 if comparison.alone is None else 0,
        "tau": comparison.scenario.tau,
        "node_cores": comparison.scenario.node_cores,
    }
    files: dict[str, bytes] = {}
    figures: list[tuple[str, str, str]] = []
    for table in tables if with_plots else ():
        if table.name in UNDRAWN:
            continue
        files[f"{table.name}.png"], svg = drawn(table, marks)
        figures.append((table.name, table.title, svg))
    files[PAGE] = render(comparison, origin_of(comparison, version), figures).encode()
    return files
