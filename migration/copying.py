"""Copies that are hashed on the way and are on the disk when the call returns."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

BLOCK = 1 << 20
"""Bytes read at a time: large enough that hashing and writing, not calls, take the time."""

HALF_WRITTEN = ".tmp-"
"""Begins the name of what is not yet published."""


def copy_hashed(
    source: Path, target: Path, *, mode: int, length: int | None = None, sync: bool = True
) -> tuple[int, str]:
    """Copy *source* to the new file *target* and return its size and SHA-256; *length* ends the copy early."""
    hasher, done = sha256(), 0
    buffer = memoryview(bytearray(BLOCK))
    with _opened(source, os.O_RDONLY) as reading, _opened(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as writing:
        while length is None or done < length:
            count = os.readv(reading, [buffer if length is None else buffer[: length - done]])
            if not count:
                break
            hasher.update(buffer[:count])
            _write_all(writing, buffer[:count])
            done += count
        os.fchmod(writing, mode)
        if sync:
            os.fsync(writing)
    return done, hasher.hexdigest()


def write_synced(path: Path, content: bytes) -> None:
    """Write the new file *path*; its content is on the disk, its name not yet."""
    with _opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as writing:
        _write_all(writing, memoryview(content))
        os.fsync(writing)


def sync_folder(path: Path) -> None:
    """Make the names in *path* last through a power cut."""
    with _opened(path, os.O_RDONLY | os.O_DIRECTORY) as folder:
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


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: memoryview) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
