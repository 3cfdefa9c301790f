"""Whether TODs differ from each other as much as real ones do: what a collapsed generator fails."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# TODs whose distances from each other are looked at.
LOOKED_AT = 1_000


def nearest_distance(tods: Array) -> float:
    """The mean distance in watts (root of the mean square) from a TOD to the one that is most like it."""
    scale = float(np.std(tods, dtype=np.float64)) or 1.0
    looked = (tods[:LOOKED_AT].astype(np.float64) - tods.mean(dtype=np.float64)) / scale
    squares = (looked**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * looked @ looked.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.sqrt(np.maximum(distances.min(axis=1), 0) / looked.shape[1])
    return float(nearest.mean()) * scale


def spread(tods: Array) -> float:
    """How much TODs differ at one and the same sample, in watts: the mean over the samples."""
    return float(np.sqrt(tods.astype(np.float64).var(axis=0).mean()))
