"""Folders of this process's own among the node's temporary ones: whoever finds one later knows whether its maker lives."""

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from idleq.processes import is_gone, keeper

KEEPER = "keeper"
"""In a folder: who has made it."""


def own_folder(prefix: str) -> Path:
    """Return a new folder of ours, with what tells others by when it is abandoned."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    with contextlib.suppress(OSError):  # a full disk: then nobody removes it but we
        (folder / KEEPER).write_text(keeper(), encoding="utf-8")
    return folder


def remove_abandoned(prefix: str) -> None:
    """Remove what processes of this user have made here that are certainly gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        found = folder.lstat()
        is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        return is_own and is_gone((folder / KEEPER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
