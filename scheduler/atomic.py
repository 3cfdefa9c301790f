"""Small files that are there whole or not at all, whatever happens while they are written."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make *path* hold *data*, durably; a reader sees the old content or the new one, never a part.

    Raises:
        OSError: *path* is as it was, and nothing is left beside it.
    """
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def check_writable(folder: Path) -> None:
    """Write a file into *folder* and take it away again; permissions alone do not say whether that can be done.

    Raises:
        OSError: nothing can be written there.
    """
    tempfile.TemporaryFile(dir=folder).close()


def sync_directory(path: Path) -> None:
    """Make what was created, renamed or removed in *path* last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
