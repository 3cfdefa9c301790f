"""Checkpoints on disk: whole generations, verified before use, the older one kept as the fall-back.

    CHECKPOINT_DIR/generation-00000007/manifest.json    what is in it, with SHA-256 and size of every part
                                      /<part>           one file for each part of the state

A generation is written beside (`.tmp-...`), flushed and renamed, so that its name exists only when it is whole.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idleq.workloads import durable
from idleq.workloads.messages import say

FORMAT = 1
MANIFEST = "manifest.json"

# One good generation besides the newest: the newest may have been damaged since it was written.
GENERATIONS_KEPT = 2

_NAME = re.compile(r"generation-(\d{8})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of a job at one step: named parts, and the job it belongs to."""

    kind: str
    step: int
    identity: Mapping[str, Any]
    parts: Mapping[str, bytes]


class DamagedGeneration(Exception):
    """A generation does not verify; the text says why."""


@dataclass(slots=True)
class CheckpointStore:
    """The generations in one folder."""

    root: Path
    tell: Callable[[str], None] = say
    _damaged: set[Path] = field(default_factory=set)

    def save(self, checkpoint: Checkpoint) -> int:
        """Publish *checkpoint* as the newest generation and return its bytes; on failure nothing has changed."""
        with durable.explained("a checkpoint", self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            durable.remove_leftovers(self.root)
            generations = self._generations()
            number = _number(generations[-1]) + 1 if generations else 1
            written = _publish(checkpoint, self.root / f"generation-{number:08d}")
        self._prune()
        return written

    def load(self) -> Checkpoint | None:
        """The newest generation that verifies, or None where there is none; says when it had to fall back."""
        for path in reversed(self._generations()):
            try:
                checkpoint = read_generation(path)
            except DamagedGeneration as damage:
                self._damaged.add(path)
                self.tell(f"checkpoint {path.name} is damaged ({damage}); falling back to the one before")
            else:
                return checkpoint
        if self._damaged:
            self.tell("no checkpoint verifies: starting from the beginning")
        return None

    def _generations(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        return sorted(path for path in self.root.iterdir() if _NAME.fullmatch(path.name))

    def _prune(self) -> None:
        good = [path for path in self._generations() if path not in self._damaged]
        for path in {*self._damaged, *good[:-GENERATIONS_KEPT]}:
            # Renamed first: a generation being removed must not be taken for a damaged one.
            doomed = durable.temporary_name(path)
            if path.exists():
                path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        self._damaged.clear()


def read_generation(path: Path) -> Checkpoint:
    """The checkpoint in *path*, every byte verified."""
    manifest = _read_manifest(path)
    parts = {name: _read_part(path / name, entry) for name, entry in manifest["files"].items()}
    return Checkpoint(kind=manifest["kind"], step=manifest["step"], identity=manifest["identity"], parts=parts)


def write_generation(checkpoint: Checkpoint, path: Path) -> int:
    """Write *checkpoint* into the existing folder *path*, flushed to the disk, and return its bytes."""
    total = 0
    files = {}
    for name, content in sorted(checkpoint.parts.items()):
        durable.write_synced(path / name, content)
        files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        total += len(content)
    body = {
        "format": FORMAT,
        "kind": checkpoint.kind,
        "step": checkpoint.step,
        "identity": dict(checkpoint.identity),
        "files": files,
    }
    manifest = durable.canonical_json({**body, "sha256": _digest(body)})
    durable.write_synced(path / MANIFEST, manifest)
    durable.sync_directory(path)
    return total + len(manifest)


def _publish(checkpoint: Checkpoint, path: Path) -> int:
    temporary = durable.temporary_name(path)
    try:
        temporary.mkdir()
        written = write_generation(checkpoint, temporary)
        temporary.rename(path)
        durable.sync_directory(path.parent)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return written


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        stated = manifest.pop("sha256")
    except OSError as error:
        raise DamagedGeneration(f"{MANIFEST}: {error.strerror}") from error
    except (ValueError, KeyError, AttributeError) as error:
        raise DamagedGeneration(f"{MANIFEST} is not readable") from error
    if stated != _digest(manifest):
        raise DamagedGeneration(f"{MANIFEST} does not match its checksum")
    if manifest["format"] != FORMAT:
        raise DamagedGeneration(f"format {manifest['format']} is not {FORMAT}, the one that this version reads")
    return dict(manifest)


def _read_part(path: Path, entry: Mapping[str, Any]) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedGeneration(f"{path.name}: {error.strerror}") from error
    if len(content) != entry["size"]:
        raise DamagedGeneration(f"{path.name} has {len(content)} bytes instead of {entry['size']}")
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise DamagedGeneration(f"{path.name} does not match its checksum")
    return content


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(durable.canonical_json(body)).hexdigest()


def _number(path: Path) -> int:
    return int(path.name.rpartition("-")[2])
