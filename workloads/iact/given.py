"""Images that a training is given: events files of simulate-showers and `ingest --images`, read, checked, made one set.

Nothing here depends on where the files lie or what they are called: they are taken in the order of their checksums, so
that a guest goes on with a copy elsewhere, and never with other ones.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import numpy.typing as npt

from idleq.workloads.durable import canonical_json
from idleq.workloads.errors import BadOption, DamagedData, MissingInput
from idleq.workloads.iact.dataset import CLASSES, Dataset, size_classes, sizes_of
from idleq.workloads.iact.events_file import CAMERA, FORMAT, parse_events
from idleq.workloads.iact.origin import Origin
from idleq.workloads.iact.rules import BOUNDARY_LEVEL, PICTURE_LEVEL
from idleq.workloads.iact.showers import ROWS, Particle, Split
from idleq.workloads.iact.task import MANIFESTS
from idleq.workloads.messages import say

Array = npt.NDArray[Any]

PARTICLES: tuple[Particle, ...] = get_args(Particle)
GENERATORS_SPLIT: Split = "train"

# The same for every training: two with other seeds learn from the same events.
ORDER_SEED = 1

WRITTEN_BY = "simulate-showers and ingest --images write them"
SUFFIX = ".parquet"
NO_IMAGES = ".hillas.parquet"
# A folder of one task had this one; now each file has its own.
WHOLE_FOLDER = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a file says of its events."""

    particle: str
    split: str | None  # of the table of showers that simulate-showers draws from
    source: str  # the same for files with events in common
    made_with: str  # the same for the tasks of an array
    truth: str
    is_rendered: bool

    @classmethod
    def of(cls, metadata: Mapping[str, Any], path: Path) -> Self:
        """What *metadata* says, where it is of our camera and cleaning."""
        try:
            camera, rules = metadata["camera"], metadata["rules"]
            levels = rules["picture_level"], rules["boundary_level"]
            if metadata["format"] != FORMAT:
                raise DamagedData(f"{path} has the format {metadata['format']}; this program reads {FORMAT}")
            facts = cls._simulated(metadata) if "identity" in metadata else cls._ingested(metadata)
        except (KeyError, TypeError) as error:
            raise DamagedData(
                f"{path} does not say in its metadata what its events are ({error}); {WRITTEN_BY}"
            ) from error
        if camera != CAMERA:
            raise DamagedData(f"the images in {path} are of the camera {camera}, not of {CAMERA}")
        if levels != (PICTURE_LEVEL, BOUNDARY_LEVEL):
            raise DamagedData(
                f"the images in {path} were cleaned with {levels[0]} and {levels[1]} photo-electrons; generators and"
                f" cuts are made for {PICTURE_LEVEL} and {BOUNDARY_LEVEL}"
            )
        if facts.particle not in PARTICLES:
            raise DamagedData(
                f"{path} says that a {facts.particle!r} made its showers, not a {' or a '.join(PARTICLES)}"
            )
        return facts

    @classmethod
    def _simulated(cls, metadata: Mapping[str, Any]) -> Self:
        made = metadata["identity"]
        made_with = f"simulate-showers: {made['particle']}, split {made['split']}, seed {made['seed']}"
        return cls(
            particle=made["particle"],
            split=made["split"],
            source=f"{made_with}, task {made['task']}",
            made_with=made_with,
            truth=metadata["truth"],
            is_rendered=True,
        )

    @classmethod
    def _ingested(cls, metadata: Mapping[str, Any]) -> Self:
        kind, particle = metadata["kind"], metadata["particle"]
        source = f"{kind}: {metadata['source']}, {particle}, SHA-256 {metadata['sha256']}"
        truth = f"images of {kind}, calibrated by ctapipe, with the files' own trigger"
        return cls(particle=particle, split=None, source=source, made_with=source, truth=truth, is_rendered=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsFile:
    """One file, verified."""

    path: Path
    sha256: str
    images: Array  # (n, 609)
    rows: Array  # (n,), the shower of each: a row of the table, or counted in the file
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The events of some files as one."""

    images: Array
    rows: Array  # no two showers have the same
    files: tuple[EventsFile, ...]

    @classmethod
    def of(cls, files: Sequence[EventsFile]) -> Self:
        """All events of *files*; showers that are counted in a file have numbers beyond the table's."""
        rows, free = [], ROWS
        for file in files:
            rows.append(file.rows if file.facts.is_rendered else file.rows + free)
            free += 0 if file.facts.is_rendered else int(file.rows.max(initial=-1)) + 1
        return cls(
            images=np.concatenate([file.images for file in files]),
            rows=np.concatenate(rows).astype(np.int32),
            files=tuple(files),
        )

    def dataset(self, chosen: Array) -> Dataset:
        """The events *chosen*, in that order, with sizes and classes as a set that was made has them."""
        if len(chosen) < CLASSES:
            raise BadOption(
                f"{len(chosen)} events are too few to learn from or to measure by: each of the {CLASSES} size classes needs"
                " one; give more files with --images"
            )
        images = self.images[chosen]
        sizes = sizes_of(images)
        classes, edges = size_classes(sizes)
        told = {"files": [file.sha256 for file in self.files], "chosen": hashlib.sha256(chosen.tobytes()).hexdigest()}
        return Dataset(
            images=images,
            sizes=sizes,
            classes=classes.astype(np.int64),
            rows=self.rows[chosen],
            edges=edges,
            digest=hashlib.sha256(canonical_json(told)).hexdigest(),
            origin=origin_of(self.files),
        )


def origin_of(files: Sequence[EventsFile]) -> Origin:
    """Where the events of *files* are from; an array of a thousand tasks is one line."""
    alike = Counter(file.facts.made_with for file in files)
    return Origin(
        truth="; ".join(sorted({file.facts.truth for file in files})),
        sources=tuple(f"{source} ({count} files)" if count > 1 else source for source, count in sorted(alike.items())),
        is_rendered=all(file.facts.is_rendered for file in files),
    )


def gammas_of(files: Sequence[EventsFile], events: int | None) -> Dataset:
    """What a generator learns from: the first *events* (None = all) of an order that is the same for every training."""
    for file in files:
        if file.facts.particle != "gamma":
            raise BadOption(f"{file.path} holds {file.facts.particle}s; generators learn from gammas, so leave it out")
        if file.facts.split not in {None, GENERATORS_SPLIT}:
            raise BadOption(
                f"{file.path} is of the split {file.facts.split!r}, which judges learn from or measure by; generators learn"
                f" from {GENERATORS_SPLIT!r}"
            )
    pool = Pool.of(files)
    count = len(pool.images)
    if events is not None and events > count:
        raise BadOption(
            f"--images holds {count} events, fewer than --events {events}; give more files, or ask for fewer"
        )
    order = np.random.default_rng(ORDER_SEED).permutation(count)[:events]
    say(f"{len(order)} of {count} events in {len(files)} files")
    return pool.dataset(order)


def read_files(paths: Sequence[Path], should_stop: Callable[[], bool] = lambda: False) -> list[EventsFile] | None:
    """The events files at and below *paths*, all verified, in the order of their checksums; None = asked to stop."""
    read: dict[str, EventsFile] = {}
    for path, expected in find_files(paths).items():
        if should_stop():
            return None
        file = _read_file(path, expected)
        other = read.setdefault(file.facts.source, file)
        if other is not file:
            raise BadOption(f"{path} and {other.path} hold the same events ({file.facts.source}); give one of them")
    return sorted(read.values(), key=lambda file: file.sha256)


def find_files(paths: Sequence[Path]) -> dict[Path, str | None]:
    """The events files at and below *paths*, each with its SHA-256 where a manifest beside it has one."""
    found: dict[Path, str | None] = {}
    for path in paths:
        if not path.exists():
            raise MissingInput(
                f"there is no file or folder {path}, seen from {Path.cwd()}; a job finds what it was given with `idleq submit"
                " --input`, and all else by its full path on a file system that the nodes share"
            )
        files = _files_below(path) if path.is_dir() else [path]
        if not files:
            raise MissingInput(f"there are no events files ({SUFFIX}, with images) in {path}; {WRITTEN_BY}")
        listed = {folder: _listed(folder) for folder in {file.parent for file in files}}
        found |= {file: listed[file.parent].get(file.name) for file in files}
    return found


def _files_below(folder: Path) -> list[Path]:
    """What a manifest lists must be there; files that none lists are taken as they are."""
    files = {file for file in folder.rglob(f"*{SUFFIX}") if not file.name.endswith(NO_IMAGES)}
    folders = {manifest.parent for pattern in (WHOLE_FOLDER, MANIFESTS) for manifest in folder.rglob(pattern)}
    files |= {parent / name for parent in folders for name in _listed(parent)}
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def _listed(folder: Path) -> dict[str, str]:
    """The events files that manifests in *folder* list, with their SHA-256; none where there is no such manifest."""
    listed: dict[str, str] = {}
    for path in (folder / WHOLE_FOLDER, *sorted(folder.glob(MANIFESTS))):  # a task's own has the last word
        try:
            files = json.loads(path.read_bytes()).get("files", {}) if path.is_file() else {}
            listed |= {name: str(entry["sha256"]) for name, entry in files.items() if name.endswith(SUFFIX)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedData(
                f"{path} is not readable ({error}); copy it again with its files, or remove it"
            ) from error
    return listed


def _read_file(path: Path, expected: str | None) -> EventsFile:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingInput(f"cannot read {path}: {error.strerror}") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if expected not in {None, sha256}:
        raise DamagedData(f"{path} does not match its checksum in the manifest beside it; copy or make it again")
    columns, metadata = parse_events(content, path)
    _check_images(columns["image"], path)
    facts = Facts.of(metadata, path)
    return EventsFile(path=path, sha256=sha256, images=columns["image"], rows=columns["row"], facts=facts)


def _check_images(images: Array, path: Path) -> None:
    """Raise DamagedData for images that cleaning does not leave, each kind with its number."""
    numbers, lit = np.isfinite(images).all(axis=1), images > 0
    dark = numbers & ~(images != 0).any(axis=1)
    cleaned = (images.max(axis=1, initial=0) >= PICTURE_LEVEL) & (lit | (images == 0)).all(axis=1)
    cleaned &= ~(lit & (images < BOUNDARY_LEVEL)).any(axis=1)
    counted = {
        "pixels that are no numbers": int((~numbers).sum()),
        "no light": int(dark.sum()),
        f"light that cleaning with {PICTURE_LEVEL} and {BOUNDARY_LEVEL} photo-electrons does not leave": int(
            (numbers & ~dark & ~cleaned).sum()
        ),
    }
    wrong = ", ".join(f"{count} have {what}" for what, count in counted.items() if count)
    if wrong:
        raise DamagedData(f"of the {len(images)} images in {path} {wrong}; {WRITTEN_BY}, cleaned and counted")
