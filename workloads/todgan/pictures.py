"""The course of a training, and a few TODs of it, drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from idleq.workloads.png import as_png
from idleq.workloads.tods.instrument import SAMPLES, SAMPLING_HZ
from idleq.workloads.training.curves import marker_for

Array = npt.NDArray[Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73")
UNIT_W = 1e-17


def draw_losses(reports: Sequence[Mapping[str, float]], looks: Sequence[Sequence[float]]) -> bytes:
    """The losses against the step, and below them how far the generator is from TODs set apart."""
    figure = Figure(figsize=(7, 6), dpi=110, layout="constrained")
    losses, distances = figure.subplots(2, 1, sharex=True)
    names = sorted(reports[0].keys() - {"step"})  # what was reported before a freeze comes back in another order
    for colour, name in zip(COLOURS, names, strict=False):
        steps, values = [one["step"] for one in reports], [one[name] for one in reports]
        losses.plot(steps, values, color=colour, label=name, marker=marker_for(reports))
    losses.set_ylabel("loss")
    losses.legend(frameon=False)
    finite = [look for look in looks if np.isfinite(look[1])]
    distances.plot([look[0] for look in finite], [look[1] for look in finite], "o-", markersize=3, color=COLOURS[2])
    distances.axhline(1, color="0.6", linestyle=":", linewidth=0.8)
    distances.set(xlabel="step", ylabel="distance, in targets")
    distances.set_ylim(bottom=0)
    for axes in (losses, distances):
        axes.spines[["top", "right"]].set_visible(False)
    return as_png(figure)


def draw_tods(real: Sequence[Array], made: Sequence[Array]) -> bytes:
    """For 0, 1 and 2 hits two real TODs on the left and two generated ones on the right."""
    figure = Figure(figsize=(13, 1.6 * len(real)), dpi=100, layout="constrained")
    grid = figure.subplots(len(real), 4, sharex=True, sharey="row", squeeze=False)
    seconds = np.arange(SAMPLES) / SAMPLING_HZ
    for row, pair in enumerate(zip(real, made, strict=True)):
        for side, tods in enumerate(pair):
            for column, tod in enumerate(tods[:2]):
                axes = grid[row, 2 * side + column]
                axes.plot(seconds, tod / UNIT_W, color="black" if side == 0 else COLOURS[0], linewidth=0.5)
                if row == 0:
                    axes.set_title("simulated" if side == 0 else "generated", fontsize=9)
        grid[row, 0].set_ylabel(f"{row} hits\n1e-17 W", fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("time in s", fontsize=8)
    for axes in grid.ravel():
        axes.spines[["top", "right"]].set_visible(False)
    return as_png(figure)
