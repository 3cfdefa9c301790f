"""What a sweep says of gain over anything that it varies: the numbers of its figures, from its rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idleq.simulator.grid import SEED, Place
from idleq.simulator.harm import interval
from idleq.simulator.rows import Row
from idleq.simulator.study.figures import Cell, FigureTable

COLUMNS = ("line", "at", "gained", "half_width_95", "count", "loses")

MOST_LINES = 12
"""More lines would not be told apart."""

AXES: Mapping[str, str] = {
    "cost": "cost of a start, a freeze, a thaw and a save, s",
    "grace": "grace, s",
    "node_cores": "cores of a node",
    "window": "longest window, s",
    "mtbf": "mean time between failures of a node, h",
    "from": "first day of the log",
    "days": "days of the log",
    "shake": "shake, s",
}
"""What keys of a run are called under a figure; all others by their own names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GainFigure:
    """One figure.

    Attributes:
        grid: whose runs it shows.
        axis: what varies from left to right.
        table: a row for each place of each line: its label, where it is, the mean gain of effective utilisation (a share of the
            capacity), half of its 95 % interval over seeds (None for a single run), how many runs, and whether guests lose there:
            effective utilisation does not rise, or overhead is more than useful work.
        traces, digests: what it was made from, as the file names it; what is drawn has no digest.
        seeds: that it was made from.
    """

    grid: str
    axis: str
    table: FigureTable
    traces: tuple[str, ...]
    digests: tuple[str, ...]
    seeds: tuple[int, ...]


def gain_figures(places: Sequence[Place], rows: Sequence[Row]) -> list[GainFigure]:
    """Return a figure for each number that a grid of a sweep varies; *rows* are those of *places*.

    What else the grid varies gives lines of their own; a figure of more than `MOST_LINES` is left out.
    """
    grids: dict[str, list[tuple[Place, Row]]] = {}
    for place, row in zip(places, rows, strict=True):
        grids.setdefault(place.grid, []).append((place, row))
    return [figure for grid, runs in grids.items() for figure in _of_grid(grid, runs)]


def _of_grid(grid: str, runs: Sequence[tuple[Place, Row]]) -> Iterator[GainFigure]:
    varied = _varied([place for place, _ in runs])
    for axis in varied:
        if not all(_is_number(place.named[axis]) for place, _ in runs):
            continue
        lines: dict[str, list[tuple[Place, Row]]] = {}
        for place, row in runs:
            label = ", ".join(f"{key} {place.named[key]}" for key in varied if key != axis)
            lines.setdefault(label, []).append((place, row))
        if len(lines) > MOST_LINES:
            continue
        cells = [cell for label, line in lines.items() for cell in _line(label, axis, line)]
        title = f"{grid}: gain over {axis}"
        yield GainFigure(
            grid=grid,
            axis=axis,
            table=FigureTable(name=f"{grid}-{axis}", title=title, columns=COLUMNS, rows=cells),
            traces=tuple(dict.fromkeys(str(place.named["trace"]) for place, _ in runs)),
            digests=tuple(
                dict.fromkeys(str(row["trace_digest"]) for _, row in runs if row["trace_digest"] != row["trace"])
            ),
            seeds=tuple(sorted({int(place.named[SEED]) for place, _ in runs})),
        )


def _varied(places: Sequence[Place]) -> list[str]:
    """Return what differs between *places* but for the seed, in the file's order."""
    first = places[0].named
    return [key for key in first if key != SEED and any(place.named[key] != first[key] for place in places)]


def _line(label: str, axis: str, runs: Sequence[tuple[Place, Row]]) -> Iterator[tuple[Cell, ...]]:
    at: dict[float, list[Row]] = {}
    for place, row in runs:
        at.setdefault(float(place.named[axis]), []).append(row)
    for where in sorted(at):
        gained = interval([_number(row, "gained") for row in at[where]])
        spent = sum(_number(row, "overhead") - _number(row, "useful") for row in at[where])
        yield label, where, gained.mean, gained.half_width, gained.count, int(gained.mean <= 0 or spent > 0)


def _number(row: Mapping[str, Any], name: str) -> float:
    return float(row[name])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
