"""A file of TODs and the manifest beside it.

FOLDER/tods-00003.h5      HDF5: tods (n, 1060) in watts, hits, seconds, amplitudes, taus; attributes say the rest
      /tods-00003.json    what the file was made for, SHA-256 and size; written last, so the file is whole where it is

HDF5 because that is what the field's programs read. Neither holds a time, so equal TODs give equal bytes.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from idleq.workloads import durable
from idleq.workloads.errors import DamagedData, MissingInput
from idleq.workloads.tods.hits import MAX_HITS, UNKNOWN_HITS
from idleq.workloads.tods.instrument import SAMPLES, SAMPLING_HZ
from idleq.workloads.tods.simulation import ARRAYS, Tods

FORMAT = 1
# Array -> the kinds of its numbers, and how many each TOD has of them.
FORMS = {
    "tods": ("f", (SAMPLES,)),
    "hits": ("iu", ()),
    **dict.fromkeys(("seconds", "amplitudes", "taus"), ("f", (MAX_HITS,))),
}
UNITS = {"tods": "W", "hits": "1", "seconds": "s", "amplitudes": "W", "taus": "s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileManifest:
    """What lies beside a file of TODs."""

    name: str
    made_for: Mapping[str, Any]
    sha256: str
    size: int
    tods: int
    per_hit_count: Mapping[str, int]


def file_name(index: int) -> str:
    """The name of file *index*."""
    return f"tods-{index:05d}.h5"


def write_tods(folder: Path, index: int, tods: Tods, made_for: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write *tods* as file *index*; *made_for* decides the content, *facts* tell where it is from."""
    content = to_bytes(tods, made_for, facts)
    path = folder / file_name(index)
    manifest = {
        "format": FORMAT,
        "file": path.name,
        "made_for": dict(made_for),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "tods": len(tods),
        "per_hit_count": {str(hits): int(np.sum(tods.hits == hits)) for hits in np.unique(tods.hits)},
        **facts,
    }
    with durable.explained("TODs", path):
        folder.mkdir(parents=True, exist_ok=True)
        durable.replace_file(path, content)
        durable.replace_file(path.with_suffix(".json"), durable.canonical_json(manifest))


def to_bytes(tods: Tods, made_for: Mapping[str, Any], facts: Mapping[str, Any]) -> bytes:
    """*tods* as an HDF5 file."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", track_order=False) as file:
        for name, array in tods.arrays().items():
            file.create_dataset(name, data=array, track_times=False).attrs["unit"] = UNITS[name]
        file.attrs["format"] = FORMAT
        file.attrs["sampling_hz"] = SAMPLING_HZ
        file.attrs["made_for"] = durable.canonical_json(dict(made_for)).decode()
        file.attrs["facts"] = durable.canonical_json(dict(facts)).decode()
    return buffer.getvalue()


def read_manifest(path: Path) -> FileManifest:
    """The manifest in *path*."""
    try:
        values = json.loads(path.read_bytes())
        if values["format"] != FORMAT:
            raise ValueError(f"format {values['format']} is not {FORMAT}")
        return FileManifest(
            name=values["file"],
            made_for=values["made_for"],
            sha256=values["sha256"],
            size=values["size"],
            tods=values["tods"],
            per_hit_count=values["per_hit_count"],
        )
    except FileNotFoundError as error:
        raise MissingInput(f"no manifest of TODs in {path}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedData(f"{path} is not a manifest of TODs: {error}") from error


def read_tods(folder: Path, manifest: FileManifest) -> Tods:
    """The TODs that *manifest* describes, every byte verified and every sample a number."""
    path = folder / manifest.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedData(f"the TODs lack {path}: {error.strerror}; make them again") from error
    if (len(content), hashlib.sha256(content).hexdigest()) != (manifest.size, manifest.sha256):
        raise DamagedData(f"{path} does not match its checksum; remove it and its manifest, and make it again")
    return from_bytes(content, path)


def from_bytes(content: bytes, path: Path) -> Tods:
    """The TODs in *content*, which was read from *path*."""
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            content_of: Any = file  # a group or a type may have such a name too; then there is no array in it
            arrays = {name: content_of[name][()] for name in ARRAYS}
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DamagedData(f"{path} is not a file of TODs: {error}") from error
    _refuse_other_forms(arrays, path)
    tods = Tods(**arrays)
    broken = np.flatnonzero(~np.isfinite(tods.tods).all(axis=1))
    if broken.size:
        raise DamagedData(
            f"{path} has samples that are no numbers, in {broken.size} TODs, the first number {broken[0]}"
        )
    return tods


def _refuse_other_forms(arrays: Mapping[str, Any], path: Path) -> None:
    """Every array has a row for each TOD, and the hits are counts that there can be."""
    count = len(arrays["tods"]) if np.ndim(arrays["tods"]) else 0
    for name, (kinds, shape) in FORMS.items():
        array = np.asarray(arrays[name])
        if array.dtype.kind not in kinds:
            raise DamagedData(f"{path} has {name} of the type {array.dtype}, which are no numbers of their kind")
        if array.shape != (count, *shape):
            raise DamagedData(f"{path} has {name} of the shape {array.shape} instead of {(count, *shape)}")
    wrong = np.flatnonzero((arrays["hits"] < UNKNOWN_HITS) | (arrays["hits"] > MAX_HITS))
    if wrong.size:
        raise DamagedData(
            f"{path} has {wrong.size} TODs with a number of hits that is not {UNKNOWN_HITS} to {MAX_HITS}, the first number {wrong[0]}"
        )
