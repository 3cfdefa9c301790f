"""Snapshots and published outputs: there whole or not at all, and used only after every byte of them has been verified.

SNAPSHOT/manifest.json      what is in it, with size and digest of every file
        /files/...          the files, as they are or compressed and encrypted
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from idleq.migration import copying, stored
from idleq.migration.checksum import BLAKE3, has_blake3
from idleq.migration.early import Early, EarlyStore
from idleq.migration.errors import SnapshotDamaged, SnapshotNotWritten, SnapshotUnfit
from idleq.migration.manifest import FileEntry, Manifest, Origin, decode, digest_of, encode
from idleq.migration.packer import PLAIN, Packer
from idleq.migration.packing import Unpacking
from idleq.migration.sealing import NO_KEYS, Keyring
from idleq.migration.tree import Item, empty

MANIFEST = "manifest.json"
FILES = "files"
OUTPUT = "output"

PRIVATE = 0o700
"""Of every folder: snapshots may hold what a process had in its memory."""

KEPT = 2
"""The newest snapshot and one to fall back to."""


@dataclass(frozen=True, slots=True)
class Published:
    """What is on the disk now: the digest of its manifest, and the bytes that its files take."""

    digest: str
    bytes: int


NO_OUTPUT = Published(digest_of(encode(Manifest(kind=OUTPUT, files=(), folders=()))), 0)


def publish(
    items: Sequence[Item],
    target: Path,
    *,
    kind: str,
    origin: Origin,
    check: Callable[[], None] = lambda: None,
    packer: Packer = PLAIN,
    has_company: bool = False,
    early: Early | None = None,
) -> Published:
    """Make the snapshot *target* of *items*, packed by *packer*; *check* may still refuse it once everything is copied.

    What a killed process left half written beside it is removed, unless *has_company*: others may be writing there now. What
    was stored *early* (by `early_store`) is not stored again.

    Raises:
        FolderRefused: *check* did.
        SnapshotNotWritten: nothing is at *target*, and nothing is left beside it.
    """
    beside = copying.half_written(target)
    with _nothing_left(target, beside):
        target.parent.mkdir(parents=True, exist_ok=True)
        if early is None:
            if not has_company:
                copying.remove_half_written(target.parent)
            beside.mkdir(mode=PRIVATE)
        manifest = _store_all(items, beside / FILES, kind, origin, packer, early)
        check()
        text = encode(manifest)
        copying.write_synced(beside / MANIFEST, text)
        copying.sync_folder(beside)
        beside.rename(target)
        copying.sync_folder(target.parent)
    return Published(digest_of(text), manifest.stored)


def early_store(images: Path, path: str, target: Path, packer: Packer) -> EarlyStore:
    """Return what stores what criu writes to *images*, called *path* in there, as part of the snapshot *target*, which `publish` makes then."""
    return EarlyStore(images=images, path=path, beside=copying.half_written(target), files=FILES, packer=packer)


def publish_output(items_of: Callable[[], Sequence[Item]], target: Path, manifest_path: Path) -> Published:
    """Make the results *target* of the items that *items_of* lists, their manifest first; nothing has none.

    Raises:
        FolderRefused: there is something that is not kept.
        SnapshotNotWritten: nothing is at *target*, and nothing is left beside it.
    """
    beside, manifest_beside = copying.half_written(target), copying.half_written(manifest_path)
    with _nothing_left(target, beside, manifest_beside):
        items = items_of()
        if not items:
            target.mkdir()
            return NO_OUTPUT
        manifest = _copy_all(items, beside)
        text = encode(manifest)
        copying.write_synced(manifest_beside, text)
        manifest_beside.rename(manifest_path)
        beside.rename(target)
        copying.sync_folder(target.parent)
    return Published(digest_of(text), manifest.bytes)


def restore(snapshot: Path, digest: str, folders: Mapping[str, Path], keys: Keyring = NO_KEYS) -> Manifest:
    """Unpack the snapshot's files into *folders* (first part of the path -> an empty folder), verifying each on the way.

    Raises:
        SnapshotLocked: none of *keys* opens it.
        SnapshotDamaged: something is missing, too short or not what it was; *folders* are empty again.
        OSError: *folders* cannot be written; they are empty again.
    """
    manifest = read_manifest(snapshot, digest)
    unpacking = Unpacking.of(manifest, keys)
    try:
        for path in manifest.folders:
            _place(path, folders).mkdir(parents=True, exist_ok=True)
        for entry in manifest.files:
            stored.restore(snapshot / FILES / entry.path, _place(entry.path, folders), entry, unpacking)
    except BaseException:
        for folder in folders.values():
            empty(folder)
        raise
    return manifest


def verify(snapshot: Path, digest: str) -> Manifest:
    """Return the snapshot's manifest once every byte that is stored has been read and compared, which needs no key.

    Raises:
        SnapshotDamaged: something is missing, too short or not what it was.
    """
    manifest = read_manifest(snapshot, digest)
    for entry in manifest.files:
        stored.check(snapshot / FILES / entry.path, entry, manifest.checksum)
    return manifest


def read_manifest(snapshot: Path, digest: str) -> Manifest:
    """Return the manifest if it is the one that *digest* names; raise SnapshotDamaged otherwise."""
    try:
        text = (snapshot / MANIFEST).read_bytes()
    except OSError as error:
        raise SnapshotDamaged(f"snapshot {snapshot.name}: its manifest cannot be read: {error.strerror}") from error
    if digest_of(text) != digest:
        raise SnapshotDamaged(f"snapshot {snapshot.name}: its manifest is not the one that was published")
    manifest = decode(text)
    if manifest.checksum == BLAKE3 and not has_blake3():
        raise SnapshotUnfit(f"snapshot {snapshot.name} has BLAKE3 digests, and Python here lacks the package blake3")
    return manifest


def prune(root: Path, keep: int = KEPT, spare: Sequence[str] = ()) -> None:
    """Remove all snapshots in *root* but the newest *keep* and those that *spare* names; the numbers in their names count up."""
    old = sorted((path for path in root.iterdir() if not path.name.startswith(".")), key=_age)[:-keep]
    for path in (path for path in old if path.name not in spare):
        remove(path)


def remove(snapshot: Path) -> None:
    """Remove it; renamed first, as a snapshot that is being removed must not be taken for a damaged one."""
    doomed = copying.half_written(snapshot)
    with contextlib.suppress(OSError):
        snapshot.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _age(snapshot: Path) -> tuple[list[int], str]:
    """Sort by the numbers, however many digits they have."""
    return [int(number) for number in re.findall(r"[0-9]+", snapshot.name)], snapshot.name


@contextlib.contextmanager
def _nothing_left(target: Path, *beside: Path) -> Iterator[None]:
    try:
        if os.path.lexists(target):
            raise SnapshotNotWritten(f"{target} is there already; nothing was written")
        yield
    except BaseException as error:
        for path in beside:
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                path.unlink()
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            message = (
                f"{target} was not written: {reason}; free some space (or raise the quota) and see to its permissions"
            )
            raise SnapshotNotWritten(message) from error
        raise


def _store_all(
    items: Sequence[Item], target: Path, kind: str, origin: Origin, packer: Packer, early: Early | None
) -> Manifest:
    packing = packer.packing_for(items, target.parent) if early is None else early.packing
    begin = time.perf_counter()

    def store(item: Item, place: Path) -> FileEntry:
        entry = None if early is None else early.entry_of(item)
        if entry is None:
            place.unlink(missing_ok=True)  # a part of it, perhaps, that was stored early
            entry = stored.store(item, place, packing)
        return entry

    entries = _each(items, target, PRIVATE, store, may_be_there=early is not None)
    manifest = Manifest(kind=kind, files=tuple(entries), folders=_folders(items), origin=origin, **packing.describe())
    if early is None:  # else much was written while criu wrote too: that says little of how fast the file system is
        packer.learn(packing, manifest.stored, time.perf_counter() - begin)
    return manifest


def _copy_all(items: Sequence[Item], target: Path) -> Manifest:
    """Copy results as they are: they are for people."""

    def copy(item: Item, place: Path) -> FileEntry:
        mode = item.source.stat().st_mode & 0o777
        size, digest = copying.copy_hashed(item.source, place, mode=mode, length=item.length)
        return FileEntry(path=item.path, size=size, digest=digest, mode=mode, stored=size)

    return Manifest(kind=OUTPUT, files=tuple(_each(items, target, 0o777, copy)), folders=_folders(items))


def _each(
    items: Sequence[Item],
    target: Path,
    mode: int,
    keep: Callable[[Item, Path], FileEntry],
    *,
    may_be_there: bool = False,
) -> list[FileEntry]:
    """Make the folder *target* with all folders among *items*, and let *keep* make the files in them; all of it lasts.

    Some folders *may be there* only where something was stored early.
    """
    target.mkdir(mode=mode, exist_ok=may_be_there)
    entries = []
    for item in items:
        if item.is_folder:
            (target / item.path).mkdir(mode=mode, exist_ok=may_be_there)
        else:
            entries.append(keep(item, target / item.path))
    for folder in _folders(items):
        copying.sync_folder(target / folder)
    copying.sync_folder(target)
    return entries


def _folders(items: Sequence[Item]) -> tuple[str, ...]:
    return tuple(item.path for item in items if item.is_folder)


def _place(path: str, folders: Mapping[str, Path]) -> Path:
    first, _, rest = path.partition("/")
    if first not in folders:
        raise SnapshotDamaged(f"it holds {path!r}, which has no place")
    return folders[first] / rest
