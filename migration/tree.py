"""What a folder holds, for taking it along: plain files and folders, and nothing that leads elsewhere."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from idleq.migration.errors import FolderRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file (or an empty *length* of it) or a folder to take along.

    Attributes:
        path: what it is called there, relative.
        source: where it is.
        is_folder: whether it is a folder.
        length: only so many bytes of the file; None for all of it.
        below: the folder on the way from which nobody's links are followed; None for the one that it lies in.
    """

    path: str
    source: Path
    is_folder: bool
    length: int | None = None
    below: Path | None = None


def list_folder(
    folder: Path,
    prefix: str = "",
    *,
    left_out: "Callable[[os.DirEntry[str]], bool]" = lambda _: False,
    below: Path | None = None,
) -> list[Item]:
    """Return all that is in *folder*, by path, folders before what is in them; nothing if there is no such folder.

    Of what lies directly in it, *left_out* says what is to be passed over. It lies *below* a folder that nobody exchanges, or is one.

    Raises:
        FolderRefused: it holds a symbolic link, a pipe, a socket or a device.
        OSError: it cannot be read.
    """
    if not os.path.lexists(folder):
        return []
    return list(_walk(folder, prefix, below or folder, left_out))


def is_empty(folder: Path) -> bool:
    """Whether nothing at all is in *folder*."""
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def _walk(
    folder: Path, prefix: str, below: Path, left_out: "Callable[[os.DirEntry[str]], bool]" = lambda _: False
) -> Iterator[Item]:
    with os.scandir(folder) as entries:
        ordered = sorted((entry for entry in entries if not left_out(entry)), key=lambda entry: entry.name)
    for entry in ordered:
        path = f"{prefix}/{entry.name}" if prefix else entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise FolderRefused(_refusal(path, entry, mode))
        yield Item(path=path, source=Path(entry.path), is_folder=stat.S_ISDIR(mode), below=below)
        if stat.S_ISDIR(mode):
            yield from _walk(Path(entry.path), path, below)


def _refusal(path: str, entry: "os.DirEntry[str]", mode: int) -> str:
    if stat.S_ISLNK(mode):
        return f"{path!r} is a symbolic link (to {str(Path(entry.path).readlink())!r}): only files and folders are kept; copy what it leads to"
    return f"{path!r} is neither a file nor a folder: only files and folders are kept; what saves itself has room for it in TMPDIR"


def empty(folder: Path) -> None:
    """Remove all that *folder* holds, as far as that can be removed."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
