"""Events as Parquet: one row an event, every column with its unit, and in the file's metadata what made them."""

import io
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from idleq.workloads.errors import DamagedData, MissingInput
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.dataset import CHUNK_EVENTS, CLASSES, VERSION, DatasetSpec
from idleq.workloads.iact.making import draw_chunk, versions
from idleq.workloads.iact.npz import as_npz
from idleq.workloads.iact.rules import RULES
from idleq.workloads.iact.showers import load_showers
from idleq.workloads.iact.task import TASK_CHUNKS, Task

FORMAT = 1
METADATA = b"idleq"
CAMERA = "TAIGA-IACT03"

# Column -> its type and unit; those but for the first three and the image say what was rendered. Of a file that
# `ingest` read they say what was measured, as its metadata does; its rows count the showers of the file.
COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "event": (pa.int64(), "number within the task"),
    "row": (pa.int32(), "of the table of showers"),
    "size": (pa.float32(), "photo-electrons after cleaning"),
    "true_size": (pa.float32(), "photo-electrons"),
    "x": (pa.float32(), "mm"),
    "y": (pa.float32(), "mm"),
    "length": (pa.float32(), "mm"),
    "width": (pa.float32(), "mm"),
    "psi": (pa.float32(), "rad"),
    "skewness": (pa.float32(), "1"),
    "image": (pa.list_(pa.float32(), PIXELS), "photo-electrons per pixel after cleaning"),
}


def chunks_of(task: Task) -> list[tuple[str, int, int]]:
    """Each chunk's name, number and events."""
    starts = range(0, task.events, CHUNK_EVENTS)
    return [
        (f"chunk-{index:05d}", task.number * TASK_CHUNKS + index, min(CHUNK_EVENTS, task.events - start))
        for index, start in enumerate(starts)
    ]


def make_events(task: Task) -> Callable[[int, int], bytes]:
    """What makes a chunk, by its number and events."""
    from idleq.workloads.iact.rendering import Renderer

    spec = DatasetSpec(events=max(task.events, CLASSES), seed=task.seed, particle=task.particle, split=task.split)  # type: ignore[arg-type] # argparse has checked both
    renderer, showers = Renderer.for_camera(Camera.load()), load_showers(spec.particle, spec.split)

    def make(index: int, events: int) -> bytes:
        drawn = draw_chunk(spec, index, events, renderer, showers)
        given = {
            "row": [shower.row for shower in drawn.showers],
            "size": drawn.sizes,
            "true_size": [shower.size for shower in drawn.showers],
            "x": [shower.x_mm for shower in drawn.showers],
            "y": [shower.y_mm for shower in drawn.showers],
            "length": [shower.length_mm for shower in drawn.showers],
            "width": [shower.width_mm for shower in drawn.showers],
            "psi": [shower.psi for shower in drawn.showers],
            "skewness": [shower.skewness for shower in drawn.showers],
        }
        arrays = {name: np.asarray(values) for name, values in given.items()}
        return as_npz(image=drawn.images, tried=np.array(drawn.tried), **arrays)

    return make


def write_events(task: Task, chunks: Sequence[bytes]) -> bytes:
    """The bytes of the Parquet file with all *chunks* in it: the same on every run."""
    read = [np.load(io.BytesIO(chunk), allow_pickle=False) for chunk in chunks]
    columns = {name: np.concatenate([part[name] for part in read]) for name in COLUMNS if name != "event"}
    columns["event"] = np.arange(len(columns["row"]))
    metadata = {
        "format": FORMAT,
        "identity": task.identity(),
        "version": VERSION,
        "camera": CAMERA,
        "rules": RULES,
        "tried": int(sum(int(part["tried"]) for part in read)),
        "versions": {**versions(), "pyarrow": pa.__version__},
        "provenance": tomllib.loads(Path(__file__).with_name("credits.toml").read_text()),
        "truth": "rendered from MAGIC's Hillas parameters: a stand-in for TAIGA's Monte Carlo",
    }
    return as_parquet(columns, metadata)


def as_parquet(
    columns: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, Any], more: Sequence[pa.Field] = ()
) -> bytes:
    """The bytes of an events file with COLUMNS and *more*: the same for the same columns."""
    fields = [pa.field(name, kind, metadata={"unit": unit}) for name, (kind, unit) in COLUMNS.items()] + list(more)
    schema = pa.schema(fields, metadata={METADATA: json.dumps(metadata, sort_keys=True)})
    arrays = [_array(columns[field.name], field.type) for field in fields]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd")
    return sink.getvalue()


def read_events(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """The columns and the metadata of an events file."""
    if not path.is_file():
        raise MissingInput(f"no events in {path}")
    return parse_events(path.read_bytes(), path)


def parse_events(content: bytes, path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """The same of a file's *content*."""
    try:
        table = pq.read_table(pa.BufferReader(content))
        _check_image_type(table.schema, path)
        metadata = json.loads((table.schema.metadata or {})[METADATA])
        columns = {name: table[name].combine_chunks() for name in COLUMNS}
        images = columns["image"].flatten().to_numpy().reshape(-1, PIXELS)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise DamagedData(f"{path} does not hold events of this camera: {error}") from error
    plain = {name: values.to_numpy() for name, values in columns.items() if name != "image"}
    return {**plain, "image": images}, metadata


def _check_image_type(schema: pa.Schema, path: Path) -> None:
    if "image" not in schema.names:
        raise DamagedData(f"{path} holds no images; simulate-showers and ingest --images write them")
    kind = schema.field("image").type
    if isinstance(kind, pa.FixedSizeListType) and kind.list_size != PIXELS:
        raise DamagedData(
            f"the images in {path} have {kind.list_size} pixels, this camera has {PIXELS}: they are of another camera"
        )


def _array(values: np.ndarray[Any, Any], kind: pa.DataType) -> pa.Array:
    if isinstance(kind, pa.FixedSizeListType):
        return pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float32).ravel()), PIXELS)
    return pa.array(values).cast(kind, safe=False)
