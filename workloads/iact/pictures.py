"""Camera images drawn as hexagons."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from idleq.workloads.iact.camera import NEIGHBOUR_ANGLE_DEGREES, PITCH_MM, Camera
from idleq.workloads.iact.rules import BOUNDARY_LEVEL
from idleq.workloads.iact.scaling import MAX_LIGHT
from idleq.workloads.png import as_png

Array = npt.NDArray[Any]

DARK = "#15151f"

# Below the faintest light of any image, so that even that stands out from an empty pixel.
FAINTEST_COLOUR = 2.0


def draw_images(camera: Camera, real: Sequence[Array], generated: Sequence[Array]) -> bytes:
    """One row per size class, the faintest first: real images on the left, generated ones on the right."""
    columns = max(len(images) for images in (*real, *generated))
    figure = Figure(figsize=(1.05 * (2 * columns + 1), 1.12 * len(real) + 1.1), dpi=110, facecolor=DARK)
    widths = [1.0] * columns + [0.25] + [1.0] * columns
    grid = figure.add_gridspec(
        len(real),
        2 * columns + 1,
        width_ratios=widths,
        left=0.06,
        right=0.9,
        top=0.93,
        bottom=0.02,
        wspace=0.04,
        hspace=0.04,
    )
    corners, norm = _hexagons(camera), LogNorm(FAINTEST_COLOUR, MAX_LIGHT)
    for row, (left, right) in enumerate(zip(real, generated, strict=True)):
        for column, image in [*enumerate(left), *enumerate(right, start=columns + 1)]:
            axes = figure.add_subplot(grid[row, column])
            _draw_camera(axes, corners, image, norm)
            if column == 0:
                axes.set_ylabel(f"{row + 1}", color="white", rotation=0, labelpad=10, va="center")
    figure.text(0.26, 0.955, "real (simulated showers)", color="white", ha="center", fontsize=12)
    figure.text(0.70, 0.955, "generated", color="white", ha="center", fontsize=12)
    figure.text(0.012, 0.955, "size class", color="white", fontsize=8)
    bar = figure.colorbar(ScalarMappable(norm, "inferno"), cax=figure.add_axes((0.925, 0.3, 0.014, 0.4)))
    bar.set_label("photo-electrons", color="white")
    bar.ax.tick_params(colors="white", which="both")
    return as_png(figure)


def _hexagons(camera: Camera) -> Array:
    """(609, 6, 2): the corners of every pixel."""
    angles = np.radians(NEIGHBOUR_ANGLE_DEGREES) + np.radians(30) + np.radians(60) * np.arange(6)
    offsets = PITCH_MM / 3**0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centres = np.stack([camera.x_mm, camera.y_mm], axis=1)
    corners: Array = centres[:, None, :] + offsets[None, :, :]
    return corners


def _draw_camera(axes: Axes, corners: Array, image: Array, norm: LogNorm) -> None:
    palette = mpl.colormaps["inferno"].with_extremes(bad="#262633", under="#262633")
    lit = np.ma.masked_less(image, BOUNDARY_LEVEL / 2)
    pixels = PolyCollection(list(corners), array=lit, cmap=palette, norm=norm, edgecolors="face", linewidths=0.1)
    axes.add_collection(pixels)
    axes.set(xlim=(-450, 450), ylim=(-450, 450), xticks=[], yticks=[], aspect="equal", facecolor=DARK)
    for spine in axes.spines.values():
        spine.set_visible(False)
