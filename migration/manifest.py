"""What lies in a snapshot or a published output, file by file: the text that everything is verified against."""

import json
import re
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

from idleq.migration.errors import SnapshotDamaged

FORMAT = 1

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file: its path below the snapshot's files, its size, its SHA-256 and its permission bits."""

    path: str
    size: int
    sha256: str
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where and when a snapshot was made, for deciding where it can be thawed."""

    created: int
    kernel: str
    machine: str
    cpu: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All of a snapshot or an output.

    Attributes:
        kind: "app" for what a workload saved by itself, "output" for results.
        files: in the order of their paths.
        folders: empty ones too, in the order of their paths.
        origin: None for results, so that equal results have equal manifests wherever they were made.
    """

    kind: str
    files: tuple[FileEntry, ...]
    folders: tuple[str, ...]
    origin: Origin | None = None

    @property
    def bytes(self) -> int:
        """What all the files hold."""
        return sum(entry.size for entry in self.files)


def encode(manifest: Manifest) -> bytes:
    """Return the one text of *manifest*; names that are not UTF-8 survive it."""
    body = {"format": FORMAT, **asdict(manifest)}
    return (json.dumps(body, sort_keys=True, separators=(",", ":")) + "\n").encode("ascii")


def digest_of(text: bytes) -> str:
    """Return what names this very manifest."""
    return sha256(text).hexdigest()


def decode(text: bytes) -> Manifest:
    """Return the manifest that *text* is.

    Raises:
        SnapshotDamaged: it is none, is of a format that this version does not read, or names paths outside.
    """
    try:
        body = json.loads(text)
        if body["format"] != FORMAT:
            raise SnapshotDamaged(f"its manifest has format {body['format']!r}; this idleq reads format {FORMAT}")
        origin = body["origin"]
        manifest = Manifest(
            kind=str(body["kind"]),
            files=tuple(_entry(entry) for entry in body["files"]),
            folders=tuple(_inside(path) for path in body["folders"]),
            origin=None if origin is None else Origin(**origin),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SnapshotDamaged(f"its manifest is not readable: {error}") from error
    paths = [entry.path for entry in manifest.files] + list(manifest.folders)
    if len(set(paths)) != len(paths):
        raise SnapshotDamaged("its manifest names a path twice")
    return manifest


def _entry(body: dict[str, Any]) -> FileEntry:
    entry = FileEntry(path=_inside(body["path"]), size=body["size"], sha256=body["sha256"], mode=body["mode"])
    if (
        type(entry.size) is not int
        or entry.size < 0
        or type(entry.mode) is not int
        or not _DIGEST.fullmatch(entry.sha256)
    ):
        raise SnapshotDamaged(f"its manifest's entry for {entry.path!r} makes no sense")
    return entry


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or str(PurePosixPath(path)) != path:
        raise SnapshotDamaged(f"its manifest names {path!r}, which is no path inside it")
    return path
