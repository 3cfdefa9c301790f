"""The figures of docs/explanation/what-it-gains.md, from the same rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from gains import ROOT, Row, mean, numbers, of, values
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from idleq.simulator.study.gainplots import COLOURS, shade_losing

mpl.use("Agg")
IMAGES = ROOT / "docs/images"


def draw(rows: Sequence[Row], folder: Path = IMAGES) -> None:
    with plt.rc_context(
        {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3}
    ):
        for name, make in (
            ("gain-over-load", over_load),
            ("harvest-by-cost", harvest),
            ("gaps-and-size", gaps_and_size),
        ):
            figure = make(rows)
            figure.savefig(folder / f"{name}.png", dpi=130, metadata={"Software": None})
            plt.close(figure)


End = tuple[float, float, str, str]
"""Where a line ends, its label and its colour."""

LINE_HEIGHT = 0.07
"""Of a label, in heights of a panel."""


def _line(axes: Axes, places: Sequence[str], groups: Sequence[Sequence[Row]], key: str, colour: str, label: str) -> End:
    known = [
        (float(place), mean(group, key)) for place, group in zip(places, groups, strict=True) if numbers(group, key)
    ]
    at, found = [place for place, _ in known], [one for _, one in known]
    high = [100 * (one.mean + (one.half_width or 0)) for one in found]
    low = [100 * (one.mean - (one.half_width or 0)) for one in found]
    axes.plot(at, [100 * one.mean for one in found], marker="o", ms=3, color=colour)
    axes.fill_between(at, low, high, color=colour, alpha=0.15, lw=0)
    return at[-1], 100 * found[-1].mean, label, colour


def _label(axes: Axes, ends: Sequence[End]) -> None:
    """Write each line's label beside its end, and none on another."""
    bottom, top = axes.get_ylim()
    height = (top - bottom) * LINE_HEIGHT
    free = bottom
    for x, y, label, colour in sorted(ends, key=lambda end: end[1]):
        free = max(y, free)
        axes.annotate(
            label, (x, free), xytext=(4, 0), textcoords="offset points", color=colour, va="center", fontsize=8
        )
        free += height


def over_load(rows: Sequence[Row]) -> Figure:
    found = of(rows, "load")
    costs = values(found, "cost")
    figure, panels = plt.subplots(1, len(costs), figsize=(8.5, 3.2), sharey=True, layout="constrained", squeeze=False)
    ends: list[list[End]] = []
    for axes, cost in zip(panels[0], costs, strict=True):
        ends.append([])
        for colour, machine in zip(COLOURS, values(found, "machine"), strict=False):
            one = of(found, "load", cost=cost, machine=machine)
            demands = values(one, "demand")
            groups = [of(one, "load", demand=demand) for demand in demands]
            ends[-1].append(_line(axes, demands, groups, "gained", colour, f"{machine} nodes"))
        axes.set(title=f"freeze, thaw, save: {cost} s each", xlabel="load that main jobs ask for")
    for axes, here in zip(panels[0], ends, strict=True):
        shade_losing(axes)
        _label(axes, here)
    panels[0][0].set_ylabel("gain of effective utilisation, points")
    return figure


def harvest(rows: Sequence[Row]) -> Figure:
    found = of(rows, "harvest")
    graces, traces = values(found, "grace"), values(found, "trace")
    size = (9, 1 + 2.3 * len(traces))
    figure, panels = plt.subplots(
        len(traces), len(graces), figsize=size, sharey=True, sharex=True, layout="constrained", squeeze=False
    )
    for trace, line in zip(traces, panels, strict=True):
        for axes, grace in zip(line, graces, strict=True):
            if not of(found, "harvest", trace=trace, grace=grace):
                axes.set_visible(False)
                continue
            axes.set(xscale="log", ylim=(0, 105), title=f"{trace}, grace {grace} s")
            _label(axes, list(_harvest_lines(axes, rows, trace, grace)))
    for axes in panels[-1]:
        axes.set_xlabel("cost of a freeze, a thaw, a save, s")
    for line in panels:
        line[0].set_ylabel("harvest, %")
    return figure


def _harvest_lines(axes: Axes, rows: Sequence[Row], trace: str, grace: str) -> Iterator[End]:
    here = of(rows, "harvest", trace=trace, grace=grace)
    for colour, strategy in zip(COLOURS, values(here, "strategy"), strict=False):
        one = of(here, "harvest", strategy=strategy)
        costs = values(one, "cost")
        yield _line(axes, costs, [of(one, "harvest", cost=cost) for cost in costs], "harvest", colour, strategy)
    oracle = of(rows, "oracle", trace=trace)
    if grace == "0" and oracle:
        costs = values(oracle, "cost")
        groups = [of(oracle, "oracle", cost=cost) for cost in costs]
        yield _line(axes, costs, groups, "harvest", "#555555", "oracle")


def gaps_and_size(rows: Sequence[Row]) -> Figure:
    figure, panels = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
    shown = (("gaps", "hours", "mean run of main jobs, h"), ("size", "guest_cores", "cores of a guest, of 8"))
    for axes, (grid, key, title) in zip(panels, shown, strict=True):
        found = of(rows, grid)
        places = values(found, key)
        ends = []
        for colour, cost in zip(COLOURS, values(found, "cost"), strict=False):
            groups = [of(found, grid, cost=cost, **{key: place}) for place in places]
            ends.append(_line(axes, places, groups, "gained", colour, f"cost {cost} s"))
        axes.set(xscale="log", xlabel=title)
        axes.set_xticks([float(place) for place in places], places, minor=False)
        axes.minorticks_off()
        shade_losing(axes)
        _label(axes, ends)
    panels[0].set_ylabel("gain of effective utilisation, points")
    return figure
