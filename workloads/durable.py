"""Files that are either whole or not there: written beside, flushed to the disk, renamed."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from idleq.workloads.errors import CannotSave

TEMPORARY_PREFIX = ".tmp-"

# No room, over quota, file too large, device failing, read-only: all mean that this place takes no more.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def explained(what: str, path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write *path* into `CannotSave` that says what to do."""
    try:
        yield
    except OSError as error:
        advice = (
            "free some space (or raise the quota)" if error.errno in _NO_ROOM else "check the path and its permissions"
        )
        raise CannotSave(
            f"cannot save {what} in {path}: {error.strerror or error}; {advice} and run the job again"
        ) from error


def sync_directory(path: Path) -> None:
    """The names in *path* survive a power cut from here on."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_synced(path: Path, content: bytes) -> None:
    """Write *content* and flush it to the disk; the name itself is not yet safe."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def temporary_name(path: Path) -> Path:
    """A name beside *path* that no other process uses."""
    return path.with_name(f"{TEMPORARY_PREFIX}{path.name}-{os.getpid()}")


def replace_file(path: Path, content: bytes) -> None:
    """*path* holds either its old content or *content*, whatever happens."""
    temporary = temporary_name(path)
    try:
        write_synced(temporary, content)
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def replace_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """All files of *contents* take their places in *folder*, or where there is no room for all of them, none does."""
    temporaries = {temporary_name(folder / name): folder / name for name in contents}
    try:
        for temporary, path in temporaries.items():
            write_synced(temporary, contents[path.name])
        for temporary, path in temporaries.items():
            temporary.replace(path)
        sync_directory(folder)
    except OSError:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left half written in *folder*."""
    for leftover in folder.glob(f"{TEMPORARY_PREFIX}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def canonical_json(value: object) -> bytes:
    """The one way that *value* is written, so that equal values give equal bytes."""
    return (json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n").encode()
