"""What lies in a snapshot or a published output, file by file: the text that everything is verified against.

Format 3 has BLAKE3 digests; format 2, which is written where they are SHA-256, says how files are stored (compressed, encrypted, without
their holes) and more about where they come from; format 1, in which files lie as they are, is still read.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

from idleq.machines import Machine, Needs
from idleq.migration.checksum import BLAKE3, SHA256
from idleq.migration.errors import SnapshotDamaged

FORMATS = {SHA256: 2, BLAKE3: 3}
"""What is written, by the digests that are in it."""

READ = (1, 2, 3)

APP = "app"
"""What a workload saved by itself. Every other kind is of processes as they ran."""

Extents = tuple[tuple[int, int], ...]
"""Where a file holds data, as (offset, length), in order; between them are holes."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file.

    Attributes:
        path: below the snapshot's files.
        size: of the file itself.
        digest: of the bytes that are stored, which for a file that is stored as it is are its own.
        mode: its permission bits.
        stored: how many bytes that are.
        data: where it holds data; None if it has no holes.
    """

    path: str
    size: int
    digest: str
    mode: int
    stored: int
    data: Extents | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a snapshot comes from, for deciding where it can be thawed.

    Attributes:
        created: when, by the clock of whoever made it.
        machine: where.
        runtime: what its processes ran in ("process", "podman", ...).
        image: the image that they ran in, as its job names it; "" if they ran in none.
        job: whose it is.
        fence: the fencing number of the segment that made it.
        parent: the snapshot that this segment was thawed from; "" if it began anew.
    """

    created: int
    machine: Machine
    runtime: str = ""
    image: str = ""
    job: str = ""
    fence: int = 0
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All of a snapshot or an output.

    Attributes:
        kind: "app" for what a workload saved by itself, "output" for results.
        files: in the order of their paths.
        folders: empty ones too, in the order of their paths.
        origin: None for results, so that equal results have equal manifests wherever they were made.
        compression: how the files are compressed; "" if they are not.
        encryption: how they are encrypted; "" if they are not.
        key: which key opens them: no part of the key itself.
        checksum: what digests of files are made by.
    """

    kind: str
    files: tuple[FileEntry, ...]
    folders: tuple[str, ...]
    origin: Origin | None = None
    compression: str = ""
    encryption: str = ""
    key: str = ""
    checksum: str = SHA256

    @property
    def bytes(self) -> int:
        """What all the files hold."""
        return sum(entry.size for entry in self.files)

    @property
    def stored(self) -> int:
        """What they take on the disk."""
        return sum(entry.stored for entry in self.files)


def needs_of(kind: str, origin: Origin, *, is_reproducible: bool = False) -> Needs | None:
    """Return what a snapshot of that *kind* needs of the machine that it is thawed on; None if any will do."""
    machine = origin.machine
    if kind == APP:
        return Needs(cpu=machine.cpu, image=origin.image) if is_reproducible else None
    return Needs(
        architecture=machine.architecture,
        kernel=machine.kernel,
        cpu=machine.cpu if is_reproducible else "",
        flags=machine.flags,
        gpu=machine.gpu,
        criu=machine.criu,
        runtime=origin.runtime,
        image=origin.image,
    )


def encode(manifest: Manifest) -> bytes:
    """Return the one text of *manifest*; names that are not UTF-8 survive it."""
    body = {"format": FORMATS[manifest.checksum], **asdict(manifest)}
    del body["checksum"]  # the format says it
    for entry in body["files"]:
        entry[manifest.checksum] = entry.pop("digest")
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
        if body["format"] not in READ:
            raise SnapshotDamaged(
                f"its manifest has format {body['format']!r}; this idleq reads formats up to {READ[-1]}"
            )
        checksum = BLAKE3 if body["format"] == FORMATS[BLAKE3] else SHA256
        manifest = Manifest(
            kind=str(body["kind"]),
            files=tuple(_entry(entry, checksum) for entry in body["files"]),
            folders=tuple(_inside(path) for path in body["folders"]),
            origin=None if body["origin"] is None else _origin(body["origin"]),
            compression=str(body.get("compression", "")),
            encryption=str(body.get("encryption", "")),
            key=str(body.get("key", "")),
            checksum=checksum,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SnapshotDamaged(f"its manifest is not readable: {error}") from error
    paths = [entry.path for entry in manifest.files] + list(manifest.folders)
    if len(set(paths)) != len(paths):
        raise SnapshotDamaged("its manifest names a path twice")
    return manifest


def _origin(body: Mapping[str, Any]) -> Origin:
    machine = body["machine"]
    if isinstance(machine, str):  # format 1, which said less
        old = Machine(architecture=machine, kernel=str(body["kernel"]), cpu=str(body["cpu"]))
        return Origin(created=body["created"], machine=old)
    lists = {name: tuple(map(str, machine[name])) for name in ("flags", "runtimes")}
    return Origin(**{**body, "machine": Machine(**{**machine, **lists})})


def _entry(body: dict[str, Any], checksum: str) -> FileEntry:
    stored, data = body.get("stored", body["size"]), body.get("data")
    entry = FileEntry(
        path=_inside(body["path"]),
        size=body["size"],
        digest=body[checksum],
        mode=body["mode"],
        stored=stored,
        data=None if data is None else tuple((begin, length) for begin, length in data),
    )
    numbers = (entry.size, entry.stored, entry.mode)
    if (
        any(type(number) is not int or number < 0 for number in numbers)
        or not _DIGEST.fullmatch(entry.digest)
        or not _in_order(entry.data or (), entry.size)
    ):
        raise SnapshotDamaged(f"its manifest's entry for {entry.path!r} makes no sense")
    return entry


def _in_order(data: Sequence[tuple[int, int]], size: int) -> bool:
    end = 0
    for begin, length in data:
        if type(begin) is not int or type(length) is not int or begin < end or length <= 0:
            return False
        end = begin + length
    return end <= size


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or str(PurePosixPath(path)) != path:
        raise SnapshotDamaged(f"its manifest names {path!r}, which is no path inside it")
    return path
