"""Making a data set: chunk after chunk, each written whole, so that an interrupted making goes on where it was.

A chunk depends on its own seed only. Two processes that make the same set at once write the same bytes, and whoever
renames last changes nothing.
"""

import io
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from idleq.workloads import durable
from idleq.workloads.errors import DamagedData
from idleq.workloads.iact import dataset
from idleq.workloads.iact.dataset import Dataset, DatasetSpec
from idleq.workloads.iact.npz import as_npz
from idleq.workloads.iact.rules import RULES
from idleq.workloads.iact.showers import Shower, ShowerTable, load_showers
from idleq.workloads.messages import say
from idleq.workloads.progress import progress_bar

Array = npt.NDArray[Any]

if TYPE_CHECKING:
    from idleq.workloads.iact.rendering import Renderer

PACKAGES = ("ctapipe", "numpy", "scipy")

_SPLIT_CODE = {"train": 0, "held-out": 1, "judge": 2, "validation": 3}
_PARTICLE_CODE = {"gamma": 0, "hadron": 1}


def ensure_dataset(spec: DatasetSpec, root: Path, should_stop: Callable[[], bool] = lambda: False) -> Dataset | None:
    """The data set *spec* below *root*, made where it is not there; None when asked to stop before it was done."""
    folder = root / spec.name
    if not dataset.is_complete(folder):
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if not _make_chunks(spec, folder, should_stop):
                return None
            _complete(spec, folder)
    return Dataset.load(folder, spec)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    with durable.explained("the data set", folder):
        yield


def _make_chunks(spec: DatasetSpec, folder: Path, should_stop: Callable[[], bool]) -> bool:
    missing = [index for index in range(spec.chunks) if not _is_good(folder, spec, index)]
    if not missing:
        return True
    # Imported here: ctapipe takes seconds, and a data set that is already there needs none of it.
    from idleq.workloads.iact.camera import Camera
    from idleq.workloads.iact.rendering import Renderer

    renderer, showers = Renderer.for_camera(Camera.load()), load_showers(spec.particle, spec.split)
    started, made = time.perf_counter(), 0
    with progress_bar("making images", spec.events) as advance:
        advance(spec.events - sum(spec.events_in(index) for index in missing))
        for index in missing:
            if should_stop():
                return False
            durable.replace_file(folder / dataset.chunk_name(index), make_chunk(spec, index, renderer, showers))
            made += spec.events_in(index)
            advance(spec.events_in(index))
    seconds = time.perf_counter() - started
    say(f"made {made} events in {seconds:.1f} s: {made / seconds:.0f} events per second")
    return True


@dataclass(frozen=True)
class Drawn:
    """The events of one chunk, and how many showers it took: the others did not trigger, or left nothing."""

    images: Array  # (n, 609) float32, cleaned
    showers: list[Shower]
    tried: int

    @property
    def sizes(self) -> Array:
        """The measured size of each image (n,)."""
        return dataset.sizes_of(self.images)


def draw_chunk(spec: DatasetSpec, index: int, events: int, renderer: "Renderer", showers: ShowerTable) -> Drawn:
    """The events of chunk *index*: the same on every run."""
    random = np.random.default_rng([spec.seed, _PARTICLE_CODE[spec.particle], _SPLIT_CODE[spec.split], index])
    images: list[Array] = []
    kept: list[Shower] = []
    tried = 0
    while len(images) < events:
        shower = showers.draw(random)
        image = renderer.record(shower, random)
        tried += 1
        if image is not None:
            images.append(image.astype(np.float32))
            kept.append(shower)
    return Drawn(images=np.stack(images), showers=kept, tried=tried)


def make_chunk(spec: DatasetSpec, index: int, renderer: "Renderer", showers: ShowerTable) -> bytes:
    """The bytes of chunk *index*: the same on every run."""
    drawn = draw_chunk(spec, index, spec.events_in(index), renderer, showers)
    return as_npz(
        images=drawn.images,
        sizes=drawn.sizes,
        rows=np.array([shower.row for shower in drawn.showers], dtype=np.int32),
        tried=np.array(drawn.tried),
        made_for=np.array(dataset.chunk_identity(spec, index)),
    )


def _is_good(folder: Path, spec: DatasetSpec, index: int) -> bool:
    path = folder / dataset.chunk_name(index)
    if not path.exists():
        return False
    try:
        dataset.read_chunk(path, spec, index)
    except DamagedData as error:
        say(f"{error} -- making it again")
        return False
    return True


def versions() -> dict[str, str]:
    """Of everything that decides the events besides the spec."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def _complete(spec: DatasetSpec, folder: Path) -> None:
    """Sort the events into classes and write the manifest, which makes the data set valid."""
    names = [dataset.chunk_name(index) for index in range(spec.chunks)]
    chunks = [dataset.read_chunk(folder / name, spec, index) for index, name in enumerate(names)]
    classes, edges = dataset.size_classes(np.concatenate([chunk["sizes"] for chunk in chunks]))
    buffer = io.BytesIO()
    np.save(buffer, classes)
    durable.replace_file(folder / dataset.CLASS_FILE, buffer.getvalue())
    files = {name: dataset.describe_file(folder / name) for name in (*names, dataset.CLASS_FILE)}
    manifest = {
        "version": dataset.VERSION,
        "spec": asdict(spec),
        "rules": RULES,
        "versions": versions(),
        "counts": {"events": spec.events, "per_class": np.bincount(classes).tolist()},
        "class_edges": edges,
        "files": files,
        "digest": dataset.digest_of(files),
    }
    durable.replace_file(folder / dataset.MANIFEST, durable.canonical_json(manifest))
