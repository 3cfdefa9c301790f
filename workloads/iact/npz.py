"""Arrays as the bytes of a compressed file: the same arrays give the same bytes."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def as_npz(**arrays: Array) -> bytes:
    """The bytes of a compressed file of *arrays*."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type] # its own keyword is among the names
    return buffer.getvalue()
