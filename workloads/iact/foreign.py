"""Tables of Hillas parameters in other telescopes' HDF5: FACT's (fact-tools, aict-tools) and ctapipe's DL1."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from idleq.workloads.errors import BadOption, DamagedData

Array = npt.NDArray[Any]

# Column -> its unit, FACT's name for it, and ctapipe's.
COLUMNS = {
    "size": ("photo-electrons", "size", "intensity"),
    "length": ("mm", "length", "length"),
    "width": ("mm", "width", "width"),
    "x": ("mm", "cog_x", "x"),
    "y": ("mm", "cog_y", "y"),
    "skewness": ("1", "skewness_long", "skewness"),
    "kurtosis": ("1", "kurtosis_long", "kurtosis"),
}

FACT = "FACT"
DL1 = "ctapipe DL1"
DL1_IMAGES = "ctapipe DL1 images"
SIMTEL = "sim_telarray"

FACT_GROUP = "/events"
PARAMETERS_GROUP = "/dl1/event/telescope/parameters"
IMAGES_GROUP = "/dl1/event/telescope/images"
PREFIX = "camera_frame_hillas_"

_HDF5 = b"\x89HDF\r\n\x1a\n"


def kind_of(source: Path, *, images: bool) -> str:
    """What *source* is read as; *images*: whether its images are wanted, or Hillas parameters will do."""
    with source.open("rb") as file:
        is_hdf5 = file.read(len(_HDF5)) == _HDF5
    if is_hdf5:
        return _kind_of_hdf5(source, images=images)
    from eventio.file_types import is_eventio

    try:
        known = is_eventio(source)
    except Exception as error:  # gzip, zlib and zstd each have errors of their own for damage
        raise DamagedData(f"{source} cannot be unpacked: {error}") from error
    if not known:
        raise DamagedData(f"{source} is no HDF5 file that can be read, and no file of sim_telarray (eventio)")
    return SIMTEL


def _kind_of_hdf5(source: Path, *, images: bool) -> str:
    import tables

    groups: set[str] = set()
    try:
        with tables.open_file(str(source)) as file:
            groups = {name for name in (FACT_GROUP, PARAMETERS_GROUP, IMAGES_GROUP) if name in file}
    except tables.HDF5ExtError as error:
        raise DamagedData(f"{source} is no HDF5 file that can be read") from error
    if images and groups and IMAGES_GROUP not in groups:
        raise BadOption(f"{source} holds parameters and no images (group {IMAGES_GROUP}); leave out --images")
    if IMAGES_GROUP in groups and (images or PARAMETERS_GROUP not in groups):
        return DL1_IMAGES
    if PARAMETERS_GROUP in groups:
        return DL1
    if FACT_GROUP in groups:
        return FACT
    raise BadOption(
        f"{source} is neither FACT's HDF5 (group {FACT_GROUP}) nor ctapipe's DL1 (group {PARAMETERS_GROUP})"
    )


def read_parameters(source: Path, kind: str) -> dict[str, Array]:
    """The columns of *source*, a table of FACT's or of ctapipe's."""
    import tables

    try:
        file = tables.open_file(str(source))
        with contextlib.closing(file):
            if kind == FACT:
                return _from_fact(file)
            return _from_dl1(source, [str(node._v_pathname) for node in file.list_nodes(PARAMETERS_GROUP)])  # noqa: SLF001 - PyTables' public name for it
    except (tables.HDF5ExtError, tables.NoSuchNodeError, KeyError) as error:
        raise DamagedData(f"{source} lacks a Hillas parameter: {error}") from error


def _from_fact(file: Any) -> dict[str, Array]:  # noqa: ANN401 - PyTables has no types
    found = {name: np.asarray(file.get_node(FACT_GROUP, fact).read(), float) for name, (_, fact, _) in COLUMNS.items()}
    if len({len(values) for values in found.values()}) != 1:
        raise DamagedData(f"the columns of {file.filename} have different lengths")
    return found


def _from_dl1(source: Path, telescopes: list[str]) -> dict[str, Array]:
    from ctapipe.io import read_table

    parts = [read_table(str(source), telescope) for telescope in telescopes]
    if not parts:
        raise DamagedData(f"{source} has no telescope's parameters")
    return {
        name: np.concatenate([_in_unit(part[PREFIX + ctapipe], unit) for part in parts])
        for name, (unit, _, ctapipe) in COLUMNS.items()
    }


def _in_unit(column: Any, unit: str) -> Array:  # noqa: ANN401 - a column or a quantity
    if unit == "mm":
        return np.asarray(column.quantity.to_value("mm"), dtype=float)
    return np.asarray(column, dtype=float)
