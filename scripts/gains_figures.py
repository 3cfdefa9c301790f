"""The figures of docs/explanation/what-it-gains.md, from the same rows."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from gains import ROOT, Row, mean, of, values
from matplotlib.axes import Axes
from matplotlib.figure import Figure

mpl.use("Agg")
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe and Ito: told apart by everybody
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


def _line(
    axes: Axes, places: Sequence[str], groups: Sequence[Sequence[Row]], key: str, colour: str, label: str
) -> None:
    found = [mean(group, key) for group in groups]
    at = [float(place) for place in places]
    high = [100 * (one.mean + (one.half_width or 0)) for one in found]
    low = [100 * (one.mean - (one.half_width or 0)) for one in found]
    axes.plot(at, [100 * one.mean for one in found], marker="o", ms=3, color=colour)
    axes.fill_between(at, low, high, color=colour, alpha=0.15, lw=0)
    axes.annotate(
        label,
        (at[-1], 100 * found[-1].mean),
        xytext=(4, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        fontsize=8,
    )


def _lose(axes: Axes) -> None:
    axes.axhline(0, color="black", lw=0.8)
    bottom = min(axes.get_ylim()[0], -1)
    axes.axhspan(bottom, 0, color="#d55e00", alpha=0.08, lw=0)
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


def over_load(rows: Sequence[Row]) -> Figure:
    found = of(rows, "load")
    costs = values(found, "cost")
    figure, panels = plt.subplots(1, len(costs), figsize=(8.5, 3.2), sharey=True, layout="constrained", squeeze=False)
    for axes, cost in zip(panels[0], costs, strict=True):
        for colour, machine in zip(COLOURS, values(found, "machine"), strict=False):
            one = of(found, "load", cost=cost, machine=machine)
            demands = values(one, "demand")
            _line(
                axes,
                demands,
                [of(one, "load", demand=demand) for demand in demands],
                "gained",
                colour,
                f"{machine} nodes",
            )
        axes.set(title=f"freeze, thaw, save: {cost} s each", xlabel="load that main jobs ask for")
        _lose(axes)
    panels[0][0].set_ylabel("gain of effective utilisation, points")
    return figure


def harvest(rows: Sequence[Row]) -> Figure:
    found = of(rows, "harvest")
    graces, traces = values(found, "grace"), values(found, "trace")
    figure, panels = plt.subplots(
        len(traces),
        len(graces),
        figsize=(9, 1 + 2.3 * len(traces)),
        sharey=True,
        sharex=True,
        layout="constrained",
        squeeze=False,
    )
    for trace, line in zip(traces, panels, strict=True):
        for axes, grace in zip(line, graces, strict=True):
            here = of(found, "harvest", trace=trace, grace=grace)
            costs = values(here, "cost")
            for colour, strategy in zip(COLOURS, values(here, "strategy"), strict=False):
                groups = [of(here, "harvest", cost=cost, strategy=strategy) for cost in costs]
                _line(axes, costs, groups, "harvest", colour, strategy)
            oracle = of(rows, "oracle", trace=trace)
            if grace == "0" and oracle:
                _line(axes, costs, [of(oracle, "oracle", cost=cost) for cost in costs], "harvest", "#555555", "oracle")
            axes.set(xscale="log", title=f"{trace}, grace {grace} s")
    for axes in panels[-1]:
        axes.set_xlabel("cost of a freeze, a thaw, a save, s")
    for line in panels:
        line[0].set_ylabel("harvest, %")
    return figure


def gaps_and_size(rows: Sequence[Row]) -> Figure:
    figure, panels = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
    for axes, (grid, key, title) in zip(
        panels,
        (("gaps", "hours", "mean run of main jobs, h"), ("size", "guest_cores", "cores of a guest, of 8")),
        strict=True,
    ):
        found = of(rows, grid)
        for colour, cost in zip(COLOURS, values(found, "cost"), strict=False):
            places = values(found, key)
            _line(
                axes,
                places,
                [of(found, grid, cost=cost, **{key: place}) for place in places],
                "gained",
                colour,
                f"{cost} s",
            )
        axes.set(xscale="log", xlabel=title)
        _lose(axes)
    panels[0].set_ylabel("gain of effective utilisation, points")
    return figure
