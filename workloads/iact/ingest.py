"""`ingest`: other telescopes' files, and real ones of this camera, into this project's forms.

It reads FACT's HDF5 (fact-tools, aict-tools: one array for each column of the group `events`), ctapipe's DL1 HDF5
(tables of Hillas parameters in the camera's frame, or images) and sim_telarray's files (eventio).

OUTPUT/NAME.hillas.parquet     Hillas parameters, of any camera
      /NAME.events.parquet     with --images: cleaned images of this camera, in the form of simulate-showers

Every column has its unit, and the metadata says where the events came from. Events that are no numbers, and of which
cleaning left nothing, are left out and counted. It is no guest: it takes seconds, and can be repeated.
"""

import argparse
import hashlib
import io
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from idleq.workloads import durable
from idleq.workloads.contract import EXIT_DONE
from idleq.workloads.errors import BadOption, DamagedData, MissingInput
from idleq.workloads.iact.foreign import COLUMNS, DL1_IMAGES, SIMTEL, kind_of, read_parameters
from idleq.workloads.messages import say

Array = npt.NDArray[Any]

# What a simulation knows of its showers; in neither form where the file does not say.
TRUTH = {"energy": ("TeV", "float64"), "primary": ("CORSIKA's number: 0 gamma, 100 A + Z a nucleus", "int32")}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `ingest`."""
    parser.add_argument("file", metavar="FILE", help="FACT's or ctapipe's (DL1) HDF5, or sim_telarray's (eventio)")
    parser.add_argument("--particle", choices=("gamma", "hadron"), required=True, help="what made the showers")
    parser.add_argument(
        "--images", action="store_true", help="images of TAIGA-IACT's camera, in the form of simulate-showers"
    )
    parser.add_argument("--output", metavar="DIR", required=True, help="where the result goes")


def run(options: argparse.Namespace) -> int:
    """Read, check, write."""
    source = Path(options.file)
    if not source.is_file():
        raise MissingInput(f"there is no file {source}")
    kind = kind_of(source, images=options.images)
    if kind in {SIMTEL, DL1_IMAGES}:
        columns, told = _measured(source, options.particle, images=options.images)
    else:
        columns, told = _listed(source, kind)
    with source.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    metadata = {
        "format": 1,
        "kind": kind,
        "source": source.name,
        "sha256": checksum,
        "particle": options.particle,
        "events": len(columns["size"]),
        **told,
    }
    form = "events" if options.images else "hillas"
    path = Path(options.output) / f"{source.stem}.{form}.parquet"
    content = _as_events(columns, metadata) if options.images else as_parquet(columns, metadata)
    with durable.explained("the events", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.replace_file(path, content)
    why = "".join(f", {count} with {reason}" for reason, count in told.get("left_out_because", {}).items())
    say(f"{metadata['events']} events of {kind} in {path}; {told['left_out']} left out{why}")
    return EXIT_DONE


def _listed(source: Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The parameters that a file lists, where all are numbers, and what is to be told about them."""
    columns = read_parameters(source, kind)
    numbers = np.all([np.isfinite(values) for values in columns.values()], axis=0)
    good = numbers & (columns["size"] > 0) & (columns["length"] > 0)
    if not good.any():
        raise DamagedData(f"{source} has no event whose parameters are all numbers, among {len(good)}")
    counted = {"parameters that are no numbers": int((~numbers).sum()), "no light": int((numbers & ~good).sum())}
    told = {"left_out": int((~good).sum()), "left_out_because": {why: count for why, count in counted.items() if count}}
    return {name: values[good] for name, values in columns.items()}, told


def _measured(source: Path, particle: str, *, images: bool) -> tuple[dict[str, Array], dict[str, Any]]:
    """What is measured on the images of a file, and what is to be told about them."""
    from idleq.workloads.iact.camera import PIXELS
    from idleq.workloads.iact.making import versions
    from idleq.workloads.iact.rules import RULES
    from idleq.workloads.iact.telescopes import OTHER_CAMERA, measure

    found = measure(source, images=images)
    seen, reasons = sum(found.cameras.values()), dict(sorted(found.left_out.items()))
    cameras = ", ".join(sorted(found.cameras))
    if not seen:
        raise DamagedData(f"{source} has no telescope's image: no event in it has triggered")
    if found.left_out[OTHER_CAMERA] == seen:
        raise BadOption(
            f"{source} holds {seen} images of {cameras}; --images takes those of TAIGA-IACT's camera only, whose"
            f" {PIXELS} pixels lie as in taiga_iact03_pixels.csv; without --images you get Hillas parameters of any camera"
        )
    if not found.columns:
        raise DamagedData(f"{source} has {seen} images of {cameras}, and none can be used: {_counted(reasons)}")
    _check_particle(source, particle, found.columns["primary"])
    told = {
        "left_out": sum(reasons.values()),
        "left_out_because": reasons,
        "cameras": dict(sorted(found.cameras.items())),
        "rules": {key: value for key, value in RULES.items() if key in {"picture_level", "boundary_level"}},
        "trigger": "the file's own",
        "versions": {**versions(), "pyarrow": version("pyarrow"), "eventio": version("eventio")},
    }
    return found.columns, told


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} with {reason}" for reason, count in reasons.items())


def _check_particle(source: Path, particle: str, primaries: Array) -> None:
    """Raise BadOption where the file itself says that something else made the showers."""
    from idleq.workloads.iact.telescopes import GAMMA, LIGHTEST_NUCLEUS, UNKNOWN

    right = primaries == GAMMA if particle == "gamma" else primaries >= LIGHTEST_NUCLEUS
    wrong = primaries[(primaries != UNKNOWN) & ~right]
    if len(wrong):
        numbers = ", ".join(map(str, np.unique(wrong).tolist()))
        raise BadOption(
            f"{len(wrong)} of the {len(primaries)} events in {source} were made by the particle {numbers} (0 is a gamma,"
            f" 100 A + Z a nucleus), not by a {particle}: check --particle"
        )


def as_parquet(columns: Mapping[str, Array], metadata: Mapping[str, Any]) -> bytes:
    """The bytes of a file of Hillas parameters: the same for the same columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field(name, pa.float64(), metadata={"unit": unit}) for name, (unit, _, _) in COLUMNS.items()]
    fields += _truth(columns)
    schema = pa.schema(fields, metadata={b"idleq": json.dumps(metadata, sort_keys=True)})
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in fields]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd")
    return sink.getvalue()


def _as_events(columns: Mapping[str, Array], metadata: Mapping[str, Any]) -> bytes:
    """The bytes of a file of images, in the form of simulate-showers."""
    from idleq.workloads.iact.events_file import CAMERA
    from idleq.workloads.iact.events_file import as_parquet as events_as_parquet

    told = {**metadata, "camera": CAMERA, "columns": "measured on the cleaned images"}
    numbered = {**columns, "event": np.arange(len(columns["size"]))}
    return events_as_parquet(numbered, told, _truth(columns))


def _truth(columns: Mapping[str, Array]) -> list[Any]:
    """The fields of what the file knows of its showers."""
    import pyarrow as pa

    if "energy" not in columns or np.isnan(columns["energy"]).all():
        return []
    return [pa.field(name, pa.type_for_alias(kind), metadata={"unit": unit}) for name, (unit, kind) in TRUTH.items()]
