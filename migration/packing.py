"""How the bytes of one file become those that are stored, and back: piece by piece, never whole in memory."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, cast

from idleq.migration.checksum import SHA256
from idleq.migration.errors import SnapshotDamaged
from idleq.migration.manifest import FileEntry, Manifest
from idleq.migration.sealing import METHOD, NO_KEYS, Key, Keyring, sealed, unsealed

ZSTD = "zstd"

LARGE = 8 << 20
"""Files of at least so many bytes are compressed by several threads: for smaller ones they are not worth starting."""

MOST_THREADS = 4
"""More bring nothing: the file system is slower by then."""

PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How the files of one snapshot are stored.

    Attributes:
        level: zstd's; 0 for not at all.
        key: what encrypts them; None if nothing does.
        threads: how many compress a large file.
        checksum: what digests are made by.
    """

    level: int = 0
    key: Key | None = None
    threads: int = 1
    checksum: str = SHA256

    def describe(self) -> dict[str, str]:
        """Return what the manifest says of it."""
        known = {"compression": ZSTD if self.level else "", "checksum": self.checksum}
        if self.key is None:
            return known
        return {**known, "encryption": METHOD, "key": self.key.id}

    def stored(self, pieces: Iterable[bytes], path: str, size: int) -> Iterator[bytes]:
        """Yield what is stored of the file *path*, of *size* bytes, that *pieces* make up."""
        if self.level:
            pieces = compressed(pieces, self.level, self.threads if size >= LARGE else 0)
        return iter(pieces) if self.key is None else sealed(pieces, self.key, path)


AS_IT_IS = Packing()


@dataclass(frozen=True, slots=True)
class Unpacking:
    """How the files of one snapshot are had back."""

    compression: str
    key: Key | None
    checksum: str = SHA256

    @classmethod
    def of(cls, manifest: Manifest, keys: Keyring = NO_KEYS) -> "Unpacking":
        """Return what opens the snapshot of that *manifest*.

        Raises:
            SnapshotLocked: no key here does.
            SnapshotDamaged: it is packed in a way that this version does not know.
        """
        if manifest.compression not in {"", ZSTD}:
            raise SnapshotDamaged(f"it is compressed by {manifest.compression!r}, which this idleq does not know")
        return cls(manifest.compression, keys.find(manifest.encryption, manifest.key), manifest.checksum)

    def original(self, pieces: Iterable[bytes], entry: FileEntry) -> Iterator[bytes]:
        """Yield the bytes of the file that *entry* describes; raise SnapshotDamaged if *pieces* are not what was stored."""
        if self.key is not None:
            pieces = unsealed(pieces, self.key, entry.path)
        return decompressed(pieces, entry.path) if self.compression else iter(pieces)


def compressed(pieces: Iterable[bytes], level: int, threads: int) -> Iterator[bytes]:
    """Yield *pieces* as one zstd frame, which has a checksum of what went in."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True).compressobj()
    for piece in pieces:
        if out := compressor.compress(piece):
            yield out
    yield compressor.flush()


def decompressed(pieces: Iterable[bytes], path: str) -> Iterator[bytes]:
    """Yield what `compressed` was given, in pieces of bounded size however much little becomes.

    Raises:
        SnapshotDamaged: it is no such frame.
    """
    import zstandard

    source = cast("IO[bytes]", Source(iter(pieces)))  # of a file it uses read alone
    reader = zstandard.ZstdDecompressor().stream_reader(source, read_size=PIECE)
    try:
        while piece := reader.read(PIECE):
            yield piece
    except zstandard.ZstdError as error:
        raise SnapshotDamaged(f"{path!r} cannot be decompressed: {error}") from error


@dataclass(slots=True)
class Source:
    """Pieces as something to read from."""

    pieces: Iterator[bytes]

    def read(self, _size: int = -1) -> bytes:
        """Return the next piece, whatever its size; nothing when there is none."""
        return next(self.pieces, b"")


def usable_threads() -> int:
    """Return how many threads may compress here."""
    return min(len(os.sched_getaffinity(0)), MOST_THREADS)
