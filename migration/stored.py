"""One file of a snapshot: stored, checked, and had back."""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from idleq.migration import copying
from idleq.migration.checksum import Digest
from idleq.migration.errors import FolderRefused, SnapshotDamaged
from idleq.migration.manifest import Extents, FileEntry
from idleq.migration.packing import Packing, Unpacking
from idleq.migration.sparse import extents_of
from idleq.migration.tree import Item


def store(item: Item, place: Path, packing: Packing) -> FileEntry:
    """Store the file *item* as the new file *place*, on the disk; return what the manifest says of it."""
    with (
        copying.plain_file(item.source, item.below or item.source.parent) as reading,
        copying.new_file(place) as writing,
    ):
        data = extents_of(reading) if item.length is None else None
        pieces = copying.read_pieces(reading, item.length) if data is None else _read_data(reading, data, item)
        return _write(pieces, reading, writing, item.path, packing, data)


def store_pieces(pieces: Iterable[bytes], reading: int, path: str, place: Path, packing: Packing) -> FileEntry:
    """Store *pieces*, all of the open file *reading*, as the new file *place*, on the disk; return what the manifest says of it."""
    with copying.new_file(place) as writing:
        return _write(pieces, reading, writing, path, packing)


def check(place: Path, entry: FileEntry, checksum: str) -> None:
    """Raise SnapshotDamaged unless what is stored at *place* is what was stored there: no key is needed for that."""
    with _opened(place, entry) as reading, Digest(checksum) as digest:
        for _ in copying.hashed(copying.read_pieces(reading), digest):
            pass
        _compare(digest, entry)


def restore(place: Path, target: Path, entry: FileEntry, unpacking: Unpacking) -> None:
    """Make the new file *target* of what is stored at *place*.

    Raises:
        SnapshotDamaged: it is not what was stored there. *target* is to be removed then.
    """
    with _opened(place, entry) as reading, copying.new_file(target) as writing, Digest(unpacking.checksum) as digest:
        stored = copying.hashed(copying.read_pieces(reading), digest)
        _write_data(unpacking.original(stored, entry), writing, entry)
        for _ in stored:  # behind the end of the frame, perhaps
            pass
        _compare(digest, entry)
        os.ftruncate(writing, entry.size)
        os.fchmod(writing, entry.mode & 0o777)


def _write(
    pieces: Iterable[bytes], reading: int, writing: int, path: str, packing: Packing, data: Extents | None = None
) -> FileEntry:
    found, counted = os.fstat(reading), _Counted(pieces)
    stored, digest = copying.write_hashed(packing.stored(counted, path, found.st_size), writing, packing.checksum)
    os.fsync(writing)
    return FileEntry(
        path=path,
        size=counted.bytes if data is None else found.st_size,
        digest=digest,
        mode=stat.S_IMODE(found.st_mode) & 0o777,
        stored=stored,
        data=data,
    )


class _Counted:
    """Pieces, and how many bytes they were."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self.bytes = pieces, 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.bytes += len(piece)
            yield piece


def _read_data(descriptor: int, data: Extents, item: Item) -> Iterator[bytes]:
    for begin, length in data:
        os.lseek(descriptor, begin, os.SEEK_SET)
        pieces = _Counted(copying.read_pieces(descriptor, length))
        yield from pieces
        if pieces.bytes < length:
            raise FolderRefused(f"{item.path!r} became shorter while it was copied")


def _write_data(pieces: Iterable[bytes], descriptor: int, entry: FileEntry) -> None:
    """Write *pieces* where the file holds data."""
    extents = iter(((0, entry.size),) if entry.data is None else entry.data)
    left = 0
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            if not left:
                begin, left = next(extents, (0, 0))
                if not left:
                    raise SnapshotDamaged(f"{entry.path!r} holds more than its {entry.size} bytes")
                os.lseek(descriptor, begin, os.SEEK_SET)
            copying.write_all(descriptor, rest[:left])
            rest, left = rest[left:], max(left - len(rest), 0)
    if left or any(length for _, length in extents):
        raise SnapshotDamaged(f"{entry.path!r} holds less than its {entry.size} bytes")


def _compare(digest: Digest, entry: FileEntry) -> None:
    if (digest.length, digest.hexdigest()) != (entry.stored, entry.digest):
        raise SnapshotDamaged(f"{entry.path!r} does not match its checksum")


def _opened(place: Path, entry: FileEntry) -> contextlib.AbstractContextManager[int]:
    try:
        found = place.lstat()
    except OSError as error:
        raise SnapshotDamaged(f"{entry.path!r} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode) or found.st_size != entry.stored:
        raise SnapshotDamaged(f"{entry.path!r} has {found.st_size} bytes instead of {entry.stored}")
    return copying.opened(place, os.O_RDONLY)
