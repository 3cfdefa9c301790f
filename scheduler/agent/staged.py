"""What a guest finds in its folders besides what it makes itself, and what of that is its result.

Inputs lie in a folder of their own, to be read, the same in every segment; so no snapshot holds them. In the output folder, where
programs start, a link leads to each.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from idleq.migration import snapshot
from idleq.migration.errors import FolderRefused, SnapshotDamaged
from idleq.migration.tree import Item, list_folder
from idleq.scheduler.agent.errors import InputsGone
from idleq.scheduler.agent.folders import PRIVATE, Folders
from idleq.scheduler.core.submission import Inputs
from idleq.scheduler.staging import PLACE, belongs, names_of

READABLE, WRITABLE = 0o400, 0o222


def bring(inputs: Inputs, source: Path, folders: Folders) -> None:
    """Fill the input folder with the copy at *source*, each byte verified.

    Raises:
        InputsGone: it is not there, or not what was copied.
        OSError: the folder cannot be written.
    """
    folders.input.mkdir(mode=PRIVATE)
    try:
        manifest = snapshot.restore(source, inputs.digest, {PLACE: folders.input})
    except SnapshotDamaged as error:
        raise InputsGone(f"its inputs cannot be had back: {error}") from error
    for entry in manifest.files:
        (folders.input.parent / entry.path).chmod((entry.mode | READABLE) & ~WRITABLE)
    for name in names_of(inputs.sources):
        if not os.path.lexists(link := folders.output / name):  # it may be a result of the same name by now
            link.symlink_to(_target(name))


def list_output(folders: Folders, prefix: str = "") -> list[Item]:
    """Return all of the output folder but the links to inputs.

    Raises:
        FolderRefused, OSError: as `list_folder`.
    """
    return list_folder(folders.output, prefix, left_out=_is_input(folders))


def list_result(folders: Folders, patterns: Sequence[str]) -> list[Item]:
    """Return what *patterns* mean of the output folder, all of it if there are none, with the folders that it lies in.

    Raises:
        FolderRefused: one of them means nothing that is there.
        FolderRefused, OSError: as `list_folder`.
    """
    found = list_output(folders)
    if not patterns:
        return found
    wanted = {item.path for item in found if any(belongs(item.path, pattern) for pattern in patterns)}
    for pattern in patterns:
        if not any(belongs(path, pattern) for path in wanted):
            raise FolderRefused(f"it holds nothing that is {pattern!r}, which the job names as its output")
    around = {str(parent) for path in wanted for parent in Path(path).parents}
    return [item for item in found if item.path in wanted or item.path in around]


def _is_input(folders: Folders) -> "Callable[[os.DirEntry[str]], bool]":
    names = set(os.listdir(folders.input)) if folders.input.is_dir() else set()  # noqa: PTH208 - names only

    def is_input(entry: "os.DirEntry[str]") -> bool:
        return entry.name in names and entry.is_symlink() and str(Path(entry.path).readlink()) == _target(entry.name)

    return is_input


def _target(name: str) -> str:
    """Return where the link called *name* leads: the same inside a container and outside."""
    return f"../{PLACE}/{name}"
