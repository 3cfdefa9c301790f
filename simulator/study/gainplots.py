"""The figures of a sweep, and the page that shows them."""

from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from idleq.scheduler.palette import LIGHT
from idleq.simulator.study.gaintables import AXES, GainFigure
from idleq.simulator.study.plots import INK, saved
from idleq.simulator.study.results import Origin, csv_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Okabe and Ito's: told apart by everybody; with two kinds of line they serve `MOST_LINES`."""

SIZE = (9, 4.2)
WIDE = 20
"""An axis whose last value is so many times its first is logarithmic."""

LOSES = "guests lose: no gain, or more overhead than useful work"


def files_of(figures: Sequence[GainFigure], source: str, version: str) -> dict[str, bytes]:
    """Return the page, its figures as PNG and their numbers as CSV, by name; *source* is the sweep's file."""
    found: dict[str, bytes] = {}
    shown: list[tuple[str, str]] = []
    for figure in figures:
        name = figure.table.name
        png, svg = saved(partial(draw, figure=figure), SIZE)
        found[f"{name}.png"], found[f"{name}.csv"] = png, csv_of(figure.table, _origin(figure, version))
        shown.append((figure.table.title, svg))
    return found | {"index.html": _page(shown, source, version).encode()}


def _origin(figure: GainFigure, version: str) -> Origin:
    return Origin(version=version, trace=", ".join(figure.traces), digest=", ".join(figure.digests), seeds=figure.seeds)


def _page(figures: Sequence[tuple[str, str]], source: str, version: str) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = files("idleq.simulator.study").joinpath("sweep.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(figures=figures, source=source, version=version)


def draw(canvas: "Figure", figure: GainFigure) -> None:
    """Draw the gain of each line over the figure's axis, in points of the capacity, and where guests lose."""
    axes = canvas.subplots()
    lines: dict[str, list[tuple[float, float, float, bool]]] = {}
    for label, place, mean, half, _, loses in figure.table.rows:
        point = float(place or 0), 100 * float(mean or 0), 100 * float(half or 0), bool(loses)
        lines.setdefault(str(label), []).append(point)
    for number, (label, points) in enumerate(lines.items()):
        colour, style = COLOURS[number % len(COLOURS)], "-" if number < len(COLOURS) else "--"
        at, gained = [point[0] for point in points], [point[1] for point in points]
        halves = [point[2] for point in points]
        axes.errorbar(
            at, gained, halves, fmt=f"{style}o", color=colour, ms=4, capsize=3, elinewidth=0.8, label=label or "gain"
        )
    lost = [point[:2] for points in lines.values() for point in points if point[3]]
    if lost:
        axes.plot(*zip(*lost, strict=True), "o", ms=8, mfc="none", mec=LIGHT["bad"], mew=1.5, label=LOSES)
    places = sorted({point[0] for points in lines.values() for point in points})
    if places[0] > 0 and places[-1] >= WIDE * places[0]:
        axes.set_xscale("log")
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.minorticks_off()
    shade_losing(axes)
    axes.set_xlabel(AXES.get(figure.axis, figure.axis))
    axes.set_ylabel("gain of effective utilisation, points")
    canvas.legend(loc="outside upper left", ncols=3, frameon=False)


def shade_losing(axes: "Axes") -> None:
    """Shade and name what lies below no gain, at least a point of it."""
    axes.axhline(0, color=INK, lw=0.8)
    bottom = min(axes.get_ylim()[0], -1)
    axes.axhspan(bottom, 0, color=LIGHT["bad"], alpha=0.08, lw=0)
    axes.annotate(
        "loses",
        (0.01, 0),
        xycoords=("axes fraction", "data"),
        xytext=(0, -3),
        textcoords="offset points",
        va="top",
        fontsize=8,
    )
    axes.set_ylim(bottom=bottom)
