"""Events files as simulate-showers and `ingest --images` write them, of made-up images: no simulation is needed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.events_file import COLUMNS, as_parquet
from idleq.workloads.iact.given import read_files
from idleq.workloads.iact.rules import RULES

EVENTS = 60
CAMERA = Camera.load()


def some_images(seed: int, events: int = EVENTS) -> np.ndarray:
    """Bells of light on the camera, as cleaning leaves them."""
    random = np.random.default_rng([seed, 7])
    middle, width = random.uniform(-150, 150, (2, events, 1)), random.uniform(30, 60, (events, 1))
    distance = np.hypot(CAMERA.x_mm - middle[0], CAMERA.y_mm - middle[1])
    light = random.uniform(60, 900, (events, 1)) * np.exp(-((distance / width) ** 2) / 2)
    return np.where(light >= 7, light, 0).astype(np.float32)


def told(task: int, particle: str = "gamma", split: str = "train") -> dict[str, Any]:
    """The metadata that simulate-showers writes."""
    identity = {"particle": particle, "split": split, "events": EVENTS, "seed": 1, "task": task}
    rules, truth = RULES, "rendered from MAGIC's Hillas parameters: a stand-in for TAIGA's Monte Carlo"
    return {"format": 1, "identity": identity, "camera": "TAIGA-IACT03", "rules": rules, "truth": truth}


def ingested(source: str, particle: str = "gamma") -> dict[str, Any]:
    """The metadata that `ingest --images` writes."""
    checksum = hashlib.sha256(source.encode()).hexdigest()
    told = {"format": 1, "kind": "sim_telarray", "source": source, "sha256": checksum, "particle": particle}
    return {**told, "camera": "TAIGA-IACT03", "rules": {"picture_level": 14, "boundary_level": 7}}


def a_file(path: Path, metadata: Mapping[str, Any], images: np.ndarray, rows: np.ndarray | None = None) -> Path:
    """An events file without a manifest."""
    count = len(images)
    columns = dict.fromkeys(COLUMNS, np.zeros(count)) | {"event": np.arange(count), "image": images}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_parquet({**columns, "row": np.arange(count) if rows is None else rows}, metadata))
    return path


def a_shard(folder: Path, task: int, particle: str = "gamma", split: str = "train", events: int = EVENTS) -> Path:
    """What one task leaves, manifest and all."""
    seed = task + 100 * (particle == "hadron")
    name = f"{particle}-{split}-seed1-{task:05d}"
    path = a_file(folder / f"{name}.parquet", told(task, particle, split), some_images(seed, events))
    entry = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size": path.stat().st_size}
    (folder / f"{name}.json").write_text(json.dumps({"format": 1, "files": {path.name: entry}}))
    return path


def read(*paths: Path) -> list[Any]:
    """The files at and below *paths*."""
    files = read_files(paths)
    assert files is not None
    return files


def card(output: Path) -> dict[str, Any]:
    """The card that a training has left."""
    return dict(json.loads((output / "model-card.json").read_text()))
