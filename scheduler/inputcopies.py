"""The copies of inputs in a server directory: what lies there, and how those are removed that no job wants any more.

Only what a submit has made is touched: folders of our own with a copy's name, in a folder of our own. No link is followed.
"""

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from idleq.ids import Millis
from idleq.migration.copying import HALF_WRITTEN
from idleq.scheduler.core.rows import InputCopies
from idleq.scheduler.paths import ServerPaths

KEPT_MS = Millis(24 * 3_600_000)
"""Since it was made, where no job is known that has it: nobody is that long about to submit one."""

_NAME = re.compile(rf"[0-9a-f]{{32}}|{re.escape(HALF_WRITTEN)}[0-9a-f]{{32}}-[0-9]+", re.ASCII)
"""A copy, or what a submit that was killed has left of one."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What was removed of copies, by name, and why others could not be."""

    names: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def names(paths: ServerPaths) -> tuple[str, ...]:
    """Return what copies there are, whole ones and such that were begun."""
    with _opened(paths) as folder:
        return () if folder is None else tuple(sorted(_ages(folder)))


def remove(paths: ServerPaths, known: InputCopies, now: Millis) -> Gone:
    """Remove the copies that are *known* to be spent, and old ones that no job is known to want; what is gone already is gone."""
    gone, problems = [], []
    with _opened(paths) as folder:
        for name, made_at in sorted(_ages(folder).items()) if folder is not None else ():
            if name in known.wanted or (name not in known.spent and made_at >= now - KEPT_MS):
                continue
            try:
                shutil.rmtree(name, dir_fd=folder)
            except FileNotFoundError:
                continue  # another of the same user's commands removes it
            except OSError as error:
                problems.append(f"{paths.inputs / name}: {error.strerror or error}")
            else:
                gone.append(name)
    return Gone(tuple(gone), tuple(problems))


@contextlib.contextmanager
def _opened(paths: ServerPaths) -> Iterator[int | None]:
    """Open the folder of copies, None if there is none: a link or somebody else's folder is none."""
    try:
        folder = os.open(paths.inputs, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield folder if os.fstat(folder).st_uid == os.geteuid() else None
    finally:
        os.close(folder)


def _ages(folder: int) -> dict[str, Millis]:
    """Return when each copy in *folder* was made, by its name."""
    found: dict[str, Millis] = {}
    for name in filter(_NAME.fullmatch, os.listdir(folder)):
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid():
                found[name] = Millis(seen.st_mtime_ns // 1_000_000)
    return found
