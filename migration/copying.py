"""Files written and read piece by piece, hashed on the way, and on the disk when the call returns."""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from idleq.migration.checksum import SHA256, Digest

BLOCK = 1 << 20
"""Bytes read at a time: large enough that hashing and writing, not calls, take the time."""

HALF_WRITTEN = ".tmp-"
"""Begins the name of what is not yet published."""

PRIVATE = 0o600

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC

WRITTEN_BACK = 8 << 20
"""Bytes after which the kernel is asked to begin writing: it would wait much longer, and the fsync then takes all the time."""


def copy_hashed(
    source: Path, target: Path, *, mode: int, length: int | None = None, sync: bool = True
) -> tuple[int, str]:
    """Copy *source* to the new file *target* and return its size and SHA-256; *length* ends the copy early."""
    with opened(source, os.O_RDONLY) as reading, new_file(target) as writing:
        size, digest = write_hashed(read_pieces(reading, length), writing)
        os.fchmod(writing, mode)
        if sync:
            os.fsync(writing)
    return size, digest


def read_pieces(descriptor: int, length: int | None = None) -> Iterator[bytes]:
    """Yield what is to be read from here on, at most *length* bytes."""
    left = length
    while left is None or left > 0:
        piece = os.read(descriptor, BLOCK if left is None else min(left, BLOCK))
        if not piece:
            return
        left = None if left is None else left - len(piece)
        yield piece


def hashed(pieces: Iterable[bytes], digest: Digest) -> Iterator[bytes]:
    """Yield *pieces*, which *digest* sees too."""
    for piece in pieces:
        digest.update(piece)
        yield piece


def write_hashed(pieces: Iterable[bytes], descriptor: int, method: str = SHA256) -> tuple[int, str]:
    """Write *pieces*; return how many bytes they are, and their digest by *method*."""
    begun = 0
    with Digest(method) as digest:
        for piece in hashed(pieces, digest):
            write_all(descriptor, piece)
            if digest.length - begun >= WRITTEN_BACK:
                # What is not on the disk yet is not thrown away by this: the kernel begins to write it, and does not wait.
                os.posix_fadvise(descriptor, begun, digest.length - begun, os.POSIX_FADV_DONTNEED)
                begun = digest.length
        return digest.length, digest.hexdigest()


def write_synced(path: Path, content: bytes) -> None:
    """Write the new file *path*; its content is on the disk, its name not yet."""
    with new_file(path) as writing:
        write_all(writing, content)
        os.fsync(writing)


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write all of *content*."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def append(path: Path, text: bytes) -> bytes:
    """Append *text* to *path*, which is there then; return what of it there was no room for."""
    if not text and path.exists():
        return b""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        return text[file.write(text) or 0 :]
    return text


def sync_folder(path: Path) -> None:
    """Make the names in *path* last through a power cut."""
    with opened(path, os.O_RDONLY | os.O_DIRECTORY) as folder:
        os.fsync(folder)


def half_written(path: Path) -> Path:
    """Return a name beside *path* for writing it."""
    return path.with_name(f"{HALF_WRITTEN}{path.name}-{os.getpid()}")


def remove_half_written(folder: Path) -> None:
    """Remove what a killed process left half written in *folder*."""
    for leftover in folder.glob(f"{HALF_WRITTEN}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def new_file(path: Path) -> contextlib.AbstractContextManager[int]:
    """Open the new file *path* for writing, for nobody but us."""
    return opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


@contextlib.contextmanager
def plain_file(path: Path, below: Path) -> Iterator[int]:
    """Open the plain file *path* for reading, which somebody may exchange for anything meanwhile who can write in *below*.

    On the way from there no link is followed, and no pipe is waited for.

    Raises:
        OSError: it is not there, or something else is.
    """
    *folders, name = path.relative_to(below).parts
    here = os.open(below, _FOLDER)
    try:
        for folder in folders:
            here, above = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=here), here
            os.close(above)
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file any more", str(path))
        yield descriptor
    finally:
        os.close(descriptor)


def read_plain(path: Path) -> bytes:
    """Return what the plain file *path* holds, which somebody else may exchange for anything meanwhile; raises what `plain_file` does."""
    with plain_file(path, path.parent) as reading:
        return b"".join(read_pieces(reading))


@contextlib.contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Open *path*, which must be no link."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
