"""`ingest`: Hillas parameters of another telescope's Monte Carlo, from its own files, into one form.

It reads FACT's HDF5 (fact-tools, aict-tools: one array for each column of the group `events`) and ctapipe's DL1 HDF5
(tables of Hillas parameters in the camera's frame). OUTPUT/NAME.hillas.parquet has the columns below with their units,
and in its metadata where they came from. Rows that are no numbers (images of which cleaning left nothing) are left out
and counted. It is no guest: it takes seconds, and can be repeated.
"""

import argparse
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from idleq.workloads import durable
from idleq.workloads.contract import EXIT_DONE
from idleq.workloads.errors import BadOption, DamagedData, MissingInput
from idleq.workloads.messages import say

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
FACT_GROUP = "/events"
DL1_GROUP = "/dl1/event/telescope/parameters"
DL1_PREFIX = "camera_frame_hillas_"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `ingest`."""
    parser.add_argument("file", metavar="FILE", help="FACT's or ctapipe's (DL1) HDF5")
    parser.add_argument("--particle", choices=("gamma", "hadron"), required=True, help="what made the showers")
    parser.add_argument("--output", metavar="DIR", required=True, help="where the result goes")


def run(options: argparse.Namespace) -> int:
    """Read, check, write."""
    source = Path(options.file)
    if not source.is_file():
        raise MissingInput(f"there is no file {source}")
    kind, columns = read_parameters(source)
    good = np.all([np.isfinite(values) for values in columns.values()], axis=0)
    if not good.any():
        raise DamagedData(f"{source} has no event whose parameters are all numbers")
    kept = {name: values[good] for name, values in columns.items()}
    metadata = {
        "format": 1,
        "kind": kind,
        "source": source.name,
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "particle": options.particle,
        "events": int(good.sum()),
        "left_out": int((~good).sum()),
    }
    output = Path(options.output)
    path = output / f"{source.stem}.hillas.parquet"
    with durable.explained("the parameters", path):
        output.mkdir(parents=True, exist_ok=True)
        durable.replace_file(path, as_parquet(kept, metadata))
    say(f"{metadata['events']} events of {kind} in {path}; {metadata['left_out']} left out")
    return EXIT_DONE


def read_parameters(source: Path) -> tuple[str, dict[str, Array]]:
    """What kind of file *source* is, and its columns."""
    import tables

    try:
        with tables.open_file(str(source)) as file:
            if FACT_GROUP in file:
                return "FACT", _from_fact(file)
            if DL1_GROUP in file:
                return "ctapipe DL1", _from_dl1(source, [str(node._v_pathname) for node in file.list_nodes(DL1_GROUP)])  # noqa: SLF001 - PyTables' public name for it
    except tables.HDF5ExtError as error:
        raise DamagedData(f"{source} is no HDF5 file that can be read") from error
    except (tables.NoSuchNodeError, KeyError) as error:
        raise DamagedData(f"{source} lacks a Hillas parameter: {error}") from error
    raise BadOption(f"{source} is neither FACT's HDF5 (group {FACT_GROUP}) nor ctapipe's DL1 (group {DL1_GROUP})")


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
        name: np.concatenate([_in_unit(part[DL1_PREFIX + ctapipe], unit) for part in parts])
        for name, (unit, _, ctapipe) in COLUMNS.items()
    }


def _in_unit(column: Any, unit: str) -> Array:  # noqa: ANN401 - a column or a quantity
    if unit == "mm":
        return np.asarray(column.quantity.to_value("mm"), dtype=float)
    return np.asarray(column, dtype=float)


def as_parquet(columns: dict[str, Array], metadata: dict[str, Any]) -> bytes:
    """The bytes of the file: the same for the same columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field(name, pa.float64(), metadata={"unit": COLUMNS[name][0]}) for name in columns]
    schema = pa.schema(fields, metadata={b"idleq": json.dumps(metadata, sort_keys=True)})
    sink = io.BytesIO()
    table = pa.Table.from_arrays([pa.array(values) for values in columns.values()], schema=schema)
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
