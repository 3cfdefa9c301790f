"""Whether a path of this node may be shown to a container, looked at when the container starts: links change after a job was accepted."""

import os
import stat
from collections.abc import Collection
from pathlib import Path

from idleq.migration.errors import MountRefused

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def checked(source: Path, roots: Collection[str]) -> Path:
    """Return where *source* lies, which is below one of *roots* with no link on its way; a root itself may be one.

    Raises:
        MountRefused: it is not there, leads elsewhere, or is neither a file nor a folder.
    """
    root = next((Path(root) for root in roots if source.is_relative_to(root)), None)
    if root is None or ".." in source.parts:
        raise MountRefused(f"{source} lies in none of the folders that containers may see (containers.roots)")
    try:
        place = root.resolve(strict=True)
        _walk(source, place, source.relative_to(root).parts)
    except OSError as error:
        raise MountRefused(f"{source} cannot be shown to a container: {error.strerror}") from error
    return place / source.relative_to(root)


def _walk(source: Path, root: Path, parts: tuple[str, ...]) -> None:
    """Go down from *root* step by step; what was looked at cannot be exchanged while its parts are."""
    here = os.open(root, _LOOK)
    try:
        for part in parts:
            here, above = os.open(part, _LOOK, dir_fd=here), here
            os.close(above)
            if stat.S_ISLNK(os.fstat(here).st_mode):
                raise MountRefused(f"{source} leads over the link {part!r}; give the path without links")
        kind = os.fstat(here).st_mode
        if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
            raise MountRefused(f"{source} is neither a file nor a folder")
    finally:
        os.close(here)
