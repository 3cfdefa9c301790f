"""The figures of docs/reference/data-validation.md: distributions, and medians over the size."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

mpl.use("Agg")

Sample = Mapping[str, npt.NDArray[Any]]
Samples = Mapping[str, Mapping[str, Sample]]

COLOURS = ("#1b6ca8", "#222222", "#d1661c")
STYLES = ("-", "--", ":")
NOTE = "a stand-in for TAIGA's Monte Carlo"
LABELS = {"size": "size / photo-electrons", "length": "length / pixels", "width": "width / pixels"}
BINS = {"size": np.geomspace(20, 2e4, 46), "length": np.linspace(0, 5, 41), "width": np.linspace(0, 2.5, 41)}
PAIRS = (("size", "length"), ("size", "width"), ("length", "width"))

# Fewer events in a bin say nothing about its middle.
FEWEST = 20


def draw(samples: Samples, folder: Path) -> None:
    """Write both figures into *folder*."""
    style: dict[Any, Any] = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
    }
    with plt.rc_context(style):
        for name, make in (("data-distributions", distributions), ("data-correlations", correlations)):
            figure = make(samples)
            figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})
            plt.close(figure)


def distributions(samples: Samples) -> Figure:
    """Size, length and width of each particle."""
    figure, grid = plt.subplots(len(samples), len(BINS), figsize=(10, 5.6), constrained_layout=True)
    for row, (particle, named) in zip(grid, samples.items(), strict=True):
        for axes, (key, bins) in zip(row, BINS.items(), strict=True):
            for index, (name, sample) in enumerate(named.items()):
                _steps(axes, sample[key], bins, is_log=key == "size", colour=index, name=name)
            axes.set(xlabel=LABELS[key], ylabel="share of events per decade" if key == "size" else "share per pixel")
            axes.set_ylim(bottom=0)
        row[0].set_title(f"{particle}s", loc="left", fontweight="bold")
    _finish(figure, grid, "Each sample has an area of one")
    return figure


def _steps(
    axes: Axes, values: npt.NDArray[Any], bins: npt.NDArray[Any], *, is_log: bool, colour: int, name: str
) -> None:
    widths = np.diff(np.log10(bins)) if is_log else np.diff(bins)
    heights = np.histogram(values, bins)[0] / len(values) / widths
    axes.stairs(heights, bins, color=COLOURS[colour], linestyle=STYLES[colour], linewidth=1.5, label=name)
    if is_log:
        axes.set_xscale("log")


def correlations(samples: Samples) -> Figure:
    """The middle of one parameter over another."""
    figure, grid = plt.subplots(len(samples), len(PAIRS), figsize=(10, 5.6), constrained_layout=True)
    for row, (particle, named) in zip(grid, samples.items(), strict=True):
        for axes, (along, key) in zip(row, PAIRS, strict=True):
            for index, (name, sample) in enumerate(named.items()):
                _middle(axes, sample[along], sample[key], BINS[along][::3], colour=index, name=name)
            axes.set(xlabel=LABELS[along], ylabel=LABELS[key])
            axes.set_ylim(bottom=0)
            if along == "size":
                axes.set_xscale("log")
        row[0].set_title(f"{particle}s", loc="left", fontweight="bold")
    _finish(figure, grid, "Medians, with the middle two thirds of our own events shaded")
    return figure


def _middle(
    axes: Axes, along: npt.NDArray[Any], values: npt.NDArray[Any], bins: npt.NDArray[Any], *, colour: int, name: str
) -> None:
    where = np.digitize(along, bins)
    full = [index for index in range(1, len(bins)) if (where == index).sum() >= FEWEST]
    places = [np.median(along[where == index]) for index in full]
    low, middle, high = np.array([np.percentile(values[where == index], [17, 50, 83]) for index in full]).T
    axes.plot(places, middle, color=COLOURS[colour], linestyle=STYLES[colour], linewidth=1.5, label=name)
    if colour == 0:
        axes.fill_between(places, low, high, color=COLOURS[colour], alpha=0.15, linewidth=0)


def _finish(figure: Figure, grid: npt.NDArray[Any], what: str) -> None:
    lines, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(f"{what}: {NOTE}", fontsize=10)


def quantiles(values: npt.NDArray[Any], digits: int) -> str:
    """The tenth, fiftieth and ninetieth of a hundred."""
    return ", ".join(f"{value:,.{digits}f}" for value in np.percentile(values, [10, 50, 90]))


def ranks(sample: Sample) -> list[str]:
    """Spearman's correlation of each pair."""
    return [f"{spearmanr(sample[one], sample[other]).statistic:+.2f}" for one, other in PAIRS]
