"""The data set: what it is made of, where it lies, and how it is verified before use.

ROOT/gamma-train-12000-seed1/chunk-00000.npz ...     cleaned images, sizes and table rows, a seed of its own each
                            /classes.npy             the size class of every event
                            /manifest.json           spec, rules, versions, counts, SHA-256 of every file
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from idleq.workloads.durable import canonical_json
from idleq.workloads.errors import BadOption, DamagedData, MissingInput
from idleq.workloads.iact.camera import PIXELS
from idleq.workloads.iact.origin import MADE, Origin
from idleq.workloads.iact.showers import Particle, Split

Array = npt.NDArray[Any]

# Raised whenever the same spec would give other events; sets of another version are refused, never mixed.
VERSION = 2
CLASSES = 10
MAX_EVENTS = 10_000_000

# Events in one chunk: what an interrupted making loses at most, and about half a second of work.
CHUNK_EVENTS = 500

MANIFEST = "manifest.json"
CLASS_FILE = "classes.npy"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """Everything that decides which events a data set holds."""

    events: int
    seed: int = 1
    particle: Particle = "gamma"
    split: Split = "train"

    def __post_init__(self) -> None:
        if not CLASSES <= self.events <= MAX_EVENTS:
            raise BadOption(
                f"--events must be between {CLASSES} (one for each size class) and {MAX_EVENTS}, not {self.events}"
            )
        # One word of the generator's entropy: a larger seed would be two, and meet those of other splits and chunks.
        if not 0 <= self.seed < 2**32:
            raise BadOption(f"the data set's seed must be between 0 and 2^32 - 1, not {self.seed}")

    @property
    def name(self) -> str:
        """The folder of this data set."""
        return f"{self.particle}-{self.split}-{self.events}-seed{self.seed}"

    @property
    def chunks(self) -> int:
        """How many chunks the events fill."""
        return -(-self.events // CHUNK_EVENTS)

    def events_in(self, chunk: int) -> int:
        """How many events *chunk* holds: the last one may be short."""
        return min(CHUNK_EVENTS, self.events - chunk * CHUNK_EVENTS)


@dataclass(frozen=True)
class Dataset:
    """A verified data set in memory."""

    images: Array  # (events, 609) float32, photo-electrons
    sizes: Array  # (events,) float32, the sum of each cleaned image
    classes: Array  # (events,) int64, 0 = the faintest
    rows: Array  # (events,) int32, each event's row of the table of showers
    edges: tuple[float, ...]  # the smallest size of each class, then the largest of all
    digest: str  # changes with any byte of the data
    origin: Origin = MADE

    @classmethod
    def load(cls, folder: Path, spec: DatasetSpec) -> Self:
        """The data set *spec* in *folder*, every file verified against the manifest."""
        manifest = read_manifest(folder, spec)
        for name, entry in manifest["files"].items():
            _verify(folder / name, entry)
        chunks = [read_chunk(folder / chunk_name(index), spec, index) for index in range(spec.chunks)]
        images, sizes = (np.concatenate([chunk[name] for chunk in chunks]) for name in ("images", "sizes"))
        classes = np.load(folder / CLASS_FILE, allow_pickle=False)
        _check_contents(folder, images, sizes, classes)
        edges = class_edges(sizes, classes)
        if manifest.get("class_edges") != list(edges):  # no checksum is over them
            raise DamagedData(
                f"the class edges in {folder / MANIFEST} are not those of its sizes and classes; remove {folder} and it will"
                " be made again"
            )
        return cls(
            images=images,
            sizes=sizes,
            classes=classes.astype(np.int64),
            rows=np.concatenate([chunk["rows"] for chunk in chunks]),
            edges=edges,
            digest=manifest["digest"],
        )


def chunk_name(index: int) -> str:
    """The file of chunk *index*."""
    return f"chunk-{index:05d}.npz"


def is_complete(folder: Path) -> bool:
    """Whether the manifest, which is written last, is there."""
    return (folder / MANIFEST).is_file()


def sizes_of(images: Array) -> Array:
    """The measured size of each image (n,)."""
    sizes: Array = images.sum(axis=1, dtype=np.float64).astype(np.float32)
    return sizes


def size_classes(sizes: Array) -> tuple[Array, tuple[float, ...]]:
    """The class of each event, ten classes of equal counts within one, and the edges between them."""
    order = np.argsort(sizes, kind="stable")  # ties keep the order of events, so the classes are reproducible
    classes = np.empty(len(sizes), dtype=np.uint8)
    classes[order] = np.arange(len(sizes)) * CLASSES // len(sizes)
    return classes, class_edges(sizes, classes)


def class_edges(sizes: Array, classes: Array) -> tuple[float, ...]:
    """The smallest size of each class, then the largest of all."""
    return (*(float(sizes[classes == index].min()) for index in range(CLASSES)), float(sizes.max()))


def equal_classes(count: int) -> Array:
    """*count* classes, each as often as the others within one."""
    return (np.arange(count) % CLASSES).astype(np.uint8)


def read_manifest(folder: Path, spec: DatasetSpec) -> dict[str, Any]:
    """The manifest of a data set of this version that holds what *spec* asks for."""
    path = folder / MANIFEST
    advice = f"remove {folder} and it will be made again"
    try:
        manifest = json.loads(path.read_bytes())
        version, made_for = manifest["version"], manifest["spec"]
        if version == VERSION and manifest["digest"] != digest_of(manifest["files"]):
            raise ValueError("the digest does not match the list of files")
    except FileNotFoundError as error:
        raise MissingInput(f"no data set in {folder}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedData(f"the data set's manifest {path} is not readable ({error}); {advice}") from error
    if version != VERSION:
        raise DamagedData(
            f"the data set in {folder} is of version {version}, this program reads version {VERSION}; {advice}"
        )
    if made_for != asdict(spec):
        raise DamagedData(f"the data set in {folder} holds {made_for}, not {asdict(spec)}; {advice}")
    return dict(manifest)


def read_chunk(path: Path, spec: DatasetSpec, index: int) -> dict[str, Array]:
    """One chunk, with the shapes that *spec* asks for."""
    try:
        with np.load(path, allow_pickle=False) as file:
            chunk = {name: file[name] for name in ("images", "sizes", "rows")}
            made_for = str(file["made_for"])
    except Exception as error:  # zipfile, zlib and numpy each have errors of their own for damage
        raise DamagedData(
            f"chunk {path} is damaged ({error}); remove {path.parent} and it will be made again"
        ) from error
    advice = f"remove {path.parent} and it will be made again"
    if made_for != chunk_identity(spec, index):
        raise DamagedData(f"chunk {path} belongs to another data set; {advice}")
    images, events = chunk["images"], spec.events_in(index)
    if images.ndim != 2 or images.shape[1] != PIXELS:  # noqa: PLR2004 - events and pixels
        raise DamagedData(
            f"the images in chunk {path} have {images.shape[-1]} pixels, this camera has {PIXELS}: they are of another"
            f" camera; {advice}"
        )
    if any(len(chunk[name]) != events for name in ("images", "sizes", "rows")):
        raise DamagedData(f"chunk {path} has {len(images)} events instead of {events}; {advice}")
    return chunk


def _check_contents(folder: Path, images: Array, sizes: Array, classes: Array) -> None:
    """Raise DamagedData for what checksums do not see: a set that was written by something else than `make-data`."""
    advice = f"remove {folder} and it will be made again"
    good = np.isfinite(images).all(axis=1) & np.isfinite(sizes)
    if not good.all():
        raise DamagedData(
            f"{int((~good).sum())} of the {len(good)} images in {folder} have pixels that are no numbers; {advice}"
        )
    counts = np.bincount(classes, minlength=CLASSES).tolist()
    if len(classes) != len(images) or len(counts) != CLASSES or min(counts) == 0:
        raise DamagedData(
            f"the classes in {folder} have {counts} events; each of the {CLASSES} needs some, of {len(images)} in all;"
            f" {advice}"
        )


def chunk_identity(spec: DatasetSpec, index: int) -> str:
    """What is written into a chunk, so that it can never be taken for another."""
    return json.dumps({"version": VERSION, "chunk": index, **asdict(spec)}, sort_keys=True)


def digest_of(files: Mapping[str, Mapping[str, Any]]) -> str:
    """One checksum over the checksums of all files."""
    return hashlib.sha256(canonical_json(files)).hexdigest()


def describe_file(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def _verify(path: Path, entry: Mapping[str, Any]) -> None:
    advice = f"remove {path.parent} and it will be made again"
    try:
        found = describe_file(path)
    except OSError as error:
        raise DamagedData(f"the data set lacks {path}: {error.strerror}; {advice}") from error
    if found != entry:
        raise DamagedData(f"the data set's file {path} does not match its checksum; {advice}")
