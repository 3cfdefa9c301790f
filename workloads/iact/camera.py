"""The TAIGA-IACT camera: 609 hexagonal pixels, and the map that lays them on a 32x32 grid without interpolation.

With axial columns q and r, the cell (r, q + r) keeps the same six neighbours everywhere:

    (0, +1) (0, -1)  (+1, 0) (-1, 0)  (+1, +1) (-1, -1)      as (row, column) steps
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from idleq.workloads.errors import DamagedData

PIXELS = 609
SIDE = 32
PITCH_MM = 30.0

# A hexagon with this distance between opposite sides: the pixels fill the plane.
PIXEL_AREA_MM2 = PITCH_MM**2 * 3**0.5 / 2

# The neighbours of a pixel lie at this angle (and every 60 degrees on); a hexagon's corners lie between them.
NEIGHBOUR_ANGLE_DEGREES = 22.5

NEIGHBOUR_STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1))

TABLE = Path(__file__).with_name("taiga_iact03_pixels.csv")

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Camera:
    """Pixel positions in the table's order, and each pixel's cell of the map."""

    x_mm: Array  # (pixels,)
    y_mm: Array  # (pixels,)
    row: Array  # (pixels,) of the map
    column: Array  # (pixels,) of the map

    @classmethod
    def load(cls, table: Path = TABLE) -> Self:
        """The camera in *table*."""
        try:
            with table.open(newline="") as file:
                rows = list(csv.DictReader(file))
            camera = cls._from_rows(rows)
        except (OSError, KeyError, ValueError) as error:
            raise DamagedData(f"cannot read the camera's pixels from {table}: {error}") from error
        if len(rows) != PIXELS:
            raise DamagedData(f"{table} has {len(rows)} pixels instead of {PIXELS}; install idleq again")
        return camera

    @classmethod
    def _from_rows(cls, rows: Iterable[dict[str, str]]) -> Self:
        values = np.array([[float(row[name]) for name in ("x_cm", "y_cm", "axial_q", "axial_r")] for row in rows])
        q, r = values[:, 2].astype(np.intp), values[:, 3].astype(np.intp)
        return cls(x_mm=values[:, 0] * 10, y_mm=values[:, 1] * 10, row=r - r.min(), column=(q + r) - (q + r).min())

    @cached_property
    def mask(self) -> Array:
        """(32, 32): which cells of the map are pixels."""
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        mask[self.row, self.column] = True
        return mask

    def to_map(self, images: Array) -> Array:
        """(..., 609) -> (..., 32, 32), zero outside the camera."""
        maps = np.zeros((*images.shape[:-1], SIDE, SIDE), dtype=images.dtype)
        maps[..., self.row, self.column] = images
        return maps

    def from_map(self, maps: Array) -> Array:
        """(..., 32, 32) -> (..., 609): the inverse of `to_map`."""
        return maps[..., self.row, self.column]

    @cached_property
    def neighbours(self) -> list[list[int]]:
        """For each pixel the pixels that touch it."""
        pixel_at = {cell: pixel for pixel, cell in enumerate(zip(self.row.tolist(), self.column.tolist(), strict=True))}
        return [
            sorted(
                pixel_at[near] for step in NEIGHBOUR_STEPS if (near := (row + step[0], column + step[1])) in pixel_at
            )
            for row, column in pixel_at
        ]

    @cached_property
    def pairs(self) -> Array:
        """(pairs, 2): every pair of touching pixels once."""
        return np.array([(one, other) for one, near in enumerate(self.neighbours) for other in near if one < other])

    def to_unit(self) -> Array:
        """(2, pixels): the coordinates with the outermost pixel at one."""
        places = np.stack([self.x_mm, self.y_mm])
        unit: Array = places / np.hypot(*places).max()
        return unit
