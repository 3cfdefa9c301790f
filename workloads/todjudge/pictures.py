"""Three pictures: spectra, heights of the excursions, examples."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from idleq.workloads.png import as_png
from idleq.workloads.todjudge.figures import CLASSES
from idleq.workloads.todjudge.spectra import Array, band_edges, in_bands
from idleq.workloads.tods.instrument import SAMPLING_HZ

# The truth is black; others take these in turn (Okabe and Ito's palette, which colour-blind people can tell apart).
TRUTH_COLOUR = "black"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

# The truth sorted by what is found in it: what stands beside a generator that is not told the number of hits.
TRUTH_FOUND = "truth, by what is found"
TRUTHS = ("truth", TRUTH_FOUND)

UNIT_W = 1e-17

Curves = Mapping[str, Mapping[str, Any]]


def draw_spectra(sets: Curves, found: Collection[str] = ()) -> bytes:
    """The mean power spectrum of each set over the truth's, in bands, for each class: 1 is right.

    The sets named in *found* are sorted by what is found in them, and so is the truth that they are held against.
    """
    figure, panels = _panels("frequency in Hz", "power over the truth's")
    edges = band_edges()
    for name, axes in panels.items():
        axes.axhspan(0.9, 1.1, color="0.9", label="within 10 %")
        axes.axhline(1, color=TRUTH_COLOUR, linewidth=1)
        for label, colour, values in _coloured(sets):
            truth = _banded(sets[TRUTH_FOUND if label in found else "truth"].get(name))
            banded = _banded(values.get(name))
            if label not in TRUTHS and truth is not None and banded is not None:
                middle = np.sqrt(edges[:-1] * edges[1:])
                axes.plot(middle, np.clip(banded / truth, 0.3, 3), "o-", markersize=3, color=colour, label=label)
        axes.set(xscale="log", yscale="log", ylim=(0.29, 3.1), title=_title(name))
        axes.set_yticks([0.3, 0.5, 0.9, 1.1, 2, 3], labels=["0.3", "0.5", "0.9", "1.1", "2", "3"])
        axes.minorticks_off()
    return _finish(figure, panels)


def draw_heights(sets: Curves) -> bytes:
    """How the heights of the largest excursions are distributed, for each class."""
    figure, panels = _panels("height in 1e-17 W", "share of excursions above")
    for name, axes in panels.items():
        for label, colour, values in _coloured(sets):
            if name in values:
                heights = np.array(values[name]["heights"]) / UNIT_W
                width, style = (2.2, "-") if label == "truth" else (1.4, ":") if label in TRUTHS else (1.2, "-")
                above = np.linspace(1, 0, len(heights))
                axes.plot(heights, above, style, color=colour, linewidth=width, label=label)
        axes.set(yscale="log", ylim=(2e-3, 1.1), xlim=(0, 50), title=_title(name))
    return _finish(figure, panels)


def draw_examples(sets: Curves) -> bytes:
    """One TOD of each set and class."""
    names = list(sets)
    figure = Figure(figsize=(12, 1.35 * len(names) + 0.6), dpi=100, layout="constrained")
    grid = figure.subplots(len(names), len(CLASSES), sharex=True, sharey="col", squeeze=False)
    for row, (label, colour, values) in enumerate(_coloured(sets)):
        for column, name in enumerate(CLASSES):
            axes = grid[row, column]
            if name in values:
                tod = np.array(values[name]["example"]) / UNIT_W
                axes.plot(np.arange(len(tod)) / SAMPLING_HZ, tod, color=colour, linewidth=0.5)
            else:
                axes.text(0.5, 0.5, "no such TODs", transform=axes.transAxes, ha="center", color="0.5")
            axes.spines[["top", "right"]].set_visible(False)
            if row == 0:
                axes.set_title(_title(name))
            if row == len(names) - 1:
                axes.set_xlabel("time in s")
        grid[row, 0].set_ylabel(f"{label}\n1e-17 W", fontsize=8)
    return as_png(figure)


def _panels(x: str, y: str) -> tuple[Figure, dict[str, Axes]]:
    figure = Figure(figsize=(12, 4.4), dpi=100, layout="constrained")
    panels = dict(zip(CLASSES, figure.subplots(1, len(CLASSES), sharey=True), strict=True))
    for axes in panels.values():
        axes.set_xlabel(x)
        axes.spines[["top", "right"]].set_visible(False)
    panels[CLASSES[0]].set_ylabel(y)
    return figure, panels


def _finish(figure: Figure, panels: Mapping[str, Axes]) -> bytes:
    handles: dict[str, Any] = {}
    for axes in panels.values():
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), frameon=False)
    return as_png(figure)


def _banded(values: Mapping[str, Any] | None) -> Array | None:
    return None if values is None else in_bands(np.array(values["frequencies"]), np.array(values["powers"]))


def _coloured(sets: Curves) -> list[tuple[str, str, Mapping[str, Any]]]:
    colours = iter(COLOURS * (1 + len(sets) // len(COLOURS)))
    return [(label, TRUTH_COLOUR if label in TRUTHS else next(colours), values) for label, values in sets.items()]


def _title(name: str) -> str:
    return {"0": "no hit", "1": "one hit", "2+": "two or more hits"}[name]
