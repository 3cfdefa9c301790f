"""Shower parameters: rows of the MAGIC table (real CORSIKA Monte Carlo), resampled and turned about the camera.

The table is the MAGIC Gamma Telescope data set (R. Bock, 2007; UCI Machine Learning Repository,
doi 10.24432/C52C8K, CC BY 4.0). Its lengths are used in millimetres: both cameras have pixels of 30 mm.
"""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from idleq.workloads.errors import DamagedData
from idleq.workloads.iact.camera import PITCH_MM

Array = npt.NDArray[Any]
Particle = Literal["gamma", "hadron"]
Split = Literal["train", "held-out", "judge", "validation"]

TABLE = Path(__file__).with_name("magic_hillas.csv.gz")
ROWS = 19_020

# Generators learn from the rows of "train". A judge learns from those of "judge", sets its cut by those of "validation",
# and is itself measured, like the generators, against those of "held-out". The split is by row of the table and the
# same for every seed: two data sets can never mix two of them.
SPLITS: tuple[tuple[Split, float], ...] = (("held-out", 0.2), ("judge", 0.25), ("validation", 0.05), ("train", 0.5))
SPLIT_SEED = 20_071_105

# The skew-normal shape that toymodel draws has |skew| < 0.995; beyond it every pixel is NaN.
MAX_SKEW = 0.9

# No image is narrower than a pixel's own rms; below it the density at the pixel centres says nothing.
MIN_WIDTH_MM = PITCH_MM * (5 / 72) ** 0.5

_COLUMNS = ("length_mm", "width_mm", "log10_size", "m3long_mm", "alpha_deg", "dist_mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shower:
    """One shower to render: lengths in millimetres, the axis in radians, the size in photo-electrons."""

    row: int
    x_mm: float
    y_mm: float
    length_mm: float
    width_mm: float
    psi: float
    skewness: float
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowerTable:
    """The rows of one particle and split; *row* is the number in the whole table."""

    row: Array  # (rows,)
    values: Array  # (rows, 6), in the order of _COLUMNS

    def draw(self, random: np.random.Generator) -> Shower:
        """One row, at a random angle about the camera's centre."""
        index = int(random.integers(len(self.row)))
        azimuth = float(random.uniform(0, 2 * np.pi))
        side = 1 if random.integers(2) else -1
        length, width, log10_size, m3long, alpha, dist = self.values[index].tolist()
        # The axis points away from the camera's centre, so a positive third moment is a tail that points outwards.
        return Shower(
            row=int(self.row[index]),
            x_mm=dist * float(np.cos(azimuth)),
            y_mm=dist * float(np.sin(azimuth)),
            length_mm=max(length, MIN_WIDTH_MM),
            width_mm=max(width, MIN_WIDTH_MM),
            psi=azimuth + side * float(np.radians(alpha)),
            skewness=float(np.clip((m3long / length) ** 3, -MAX_SKEW, MAX_SKEW)),
            size=float(10**log10_size),
        )


def load_showers(particle: Particle, split: Split, table: Path = TABLE) -> ShowerTable:
    """The rows of *particle* that belong to *split*."""
    try:
        with gzip.open(table, "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        values = np.array([[float(row[name]) for name in _COLUMNS] for row in rows])
        letters = np.array([row["class"] for row in rows])
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise DamagedData(f"cannot read the shower parameters from {table}: {error}") from error
    if len(rows) != ROWS:
        raise DamagedData(f"{table} has {len(rows)} rows instead of {ROWS}; install idleq again")
    chosen = np.flatnonzero((letters == particle[0]) & (splits(len(rows)) == split))
    return ShowerTable(row=chosen, values=values[chosen])


def splits(rows: int) -> Array:
    """The split that each row belongs to."""
    order = np.random.default_rng(SPLIT_SEED).permutation(rows)
    bounds = np.cumsum([round(share * rows) for _, share in SPLITS])[:-1]
    found = np.empty(rows, dtype=object)
    for (name, _), part in zip(SPLITS, np.split(order, bounds), strict=True):
        found[part] = name
    return found
