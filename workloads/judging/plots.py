"""Generated beside true, drawn."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from idleq.workloads.classifier.step import scores_of
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.hillas import PARAMETERS, hillas
from idleq.workloads.iact.pictures import draw_images
from idleq.workloads.judging.stages import Compared
from idleq.workloads.png import as_png

Array = npt.NDArray[Any]

TRUE_COLOUR = "0.55"
MADE_COLOUR = "#3d6fb4"

# Parameter -> its axis, with the unit; shares, the third and the fourth moment have none.
AXES = {
    "log_size": "log10 of the size in photo-electrons",
    "pixels": "lit pixels",
    "length": "length in mm (rms)",
    "width": "width in mm (rms)",
    "concentration": "share of the two brightest pixels",
    "brightest": "log10 of the brightest pixel\nin photo-electrons",
    "distance": "distance from the camera's\ncentre in mm",
    "alpha": "alpha in degrees",
    "skewness": "skewness along the axis",
    "kurtosis": "kurtosis along the axis",
}

BINS = 50
PER_ROW = 5


def draw_all(compared: Compared) -> dict[str, bytes]:
    """Every picture, by the name of its file."""
    truth, made = compared.truth.held_out, compared.generated
    rows = [
        [data.images[data.classes == index][:PER_ROW] for index in range(CLASSES)]  # the faintest class first
        for data in (truth, made)
    ]
    return {
        "images.png": draw_images(compared.camera, *rows),
        "hillas.png": draw_hillas(hillas(truth.images, compared.camera), hillas(made.images, compared.camera)),
        "sizes.png": draw_sizes(compared),
        "scores.png": draw_scores(compared),
    }


def draw_hillas(true: Array, made: Array) -> bytes:
    """Every parameter's distribution."""
    figure = Figure(figsize=(13, 5.4), dpi=110, layout="constrained")
    grid = figure.subplots(2, -(-len(PARAMETERS) // 2))
    for index, (name, axes) in enumerate(zip(PARAMETERS, grid.flat, strict=True)):
        low, high = np.quantile(true[:, index], [0.002, 0.998])
        _both(axes, true[:, index], made[:, index], np.linspace(low, high, BINS))
        axes.set(xlabel=AXES[name], yticks=[])
    for row in grid:
        row[0].set_ylabel("density")
    grid.flat[0].legend(frameon=False, fontsize=8)
    figure.suptitle("Hillas parameters of the generated images beside those of held-out gammas")
    return as_png(figure)


def draw_sizes(compared: Compared) -> bytes:
    """Measured sizes: all of them, and by the class that was asked for, between the classes' edges."""
    figure = Figure(figsize=(11, 4), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    true = np.log10(compared.truth.held_out.sizes)
    sizes = np.log10(np.maximum(compared.generated.images.sum(axis=1), 1))
    bins = np.linspace(true.min(), np.quantile(true, 0.999), BINS)
    _both(left, true, sizes, bins)
    left.set(xlabel=AXES["log_size"], ylabel="density", title="All classes")
    left.legend(frameon=False)
    for edge in compared.truth.trained_on.edges:
        right.axvline(np.log10(edge), color="0.85", linewidth=0.8, zorder=0)
    for index in range(CLASSES):
        colour = (0.1 + 0.06 * index, 0.3 + 0.04 * index, 0.75 - 0.05 * index)
        chosen = sizes[compared.generated.classes == index]
        right.hist(chosen, np.linspace(bins[0], bins[-1], 3 * BINS), histtype="step", color=colour)
    right.set(xlabel=AXES["log_size"], ylabel="images", title="By the class that was asked for (lines: its edges)")
    _bare(right)
    return as_png(figure)


def draw_scores(compared: Compared) -> bytes:
    """The judge's scores."""
    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    true, made = (
        scores_of(compared.judge.model, data.images) for data in (compared.truth.held_out, compared.generated)
    )
    _both(axes, true, made, np.linspace(0, 1, BINS))
    axes.axvline(compared.judge.threshold, color="0.3", linewidth=0.9, linestyle=":", label="the cut")
    axes.set(xlabel="gamma score", ylabel="density", title="The judge's scores")
    axes.legend(frameon=False, loc="upper left")
    return as_png(figure)


def _both(axes: Axes, true: Array, made: Array, bins: Array) -> None:
    edges = bins.tolist()
    axes.hist(true, edges, density=True, color=TRUE_COLOUR, alpha=0.5, label="held-out truth")
    axes.hist(made, edges, density=True, histtype="step", color=MADE_COLOUR, linewidth=1.3, label="generated")
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
