"""Files that hold a simulation while it does not run. What is in them runs as code: they are read only if they are ours."""

import json
import os
import shlex
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from idleq.scheduler.atomic import check_writable, sync_directory, write_atomically
from idleq.simulator.errors import CheckpointDamaged, CheckpointNotKept

GENERATIONS = 2
"""So many are kept: one may be damaged."""

PREFIX, TEMPORARY, NAME = "generation-", ".tmp-", "simulation"
SAVED = "saved.jsonl"  # as in docs/reference/workload-contract.md


class CheckpointFile:
    """One file that a person has named."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Raise CheckpointNotKept if nothing can be written there."""
        try:
            check_writable(self._path.parent)
        except OSError as error:
            raise CheckpointNotKept(
                f"{self._path} cannot be written: its folder must be there and be yours to write in ({error.strerror or error})"
            ) from error
        if self._path.is_dir():
            raise CheckpointNotKept(f"{self._path} cannot be written: it is a folder")

    def kept(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Yield its name and what reads it, if it is there."""
        if os.path.lexists(self._path):
            yield str(self._path), partial(_read_ours, self._path)

    def write(self, packed: bytes) -> None:
        """Keep *packed*, durably, whole or not at all.

        Raises:
            CheckpointNotKept: what was there before is still there.
        """
        try:
            write_atomically(self._path, packed)
        except OSError as error:
            raise CheckpointNotKept(f"{self._path} cannot be written: {error.strerror or error}") from error

    def remove(self) -> None:
        """Keep nothing any more."""
        self._path.unlink(missing_ok=True)


class Generations:
    """The checkpoint folder of a guest of idleq, as the workload contract wants it; its agent is told of each save.

    *warn* is told where the agent cannot be: what is kept is kept all the same.
    """

    def __init__(self, folder: Path, control: Path | None, warn: Callable[[str], None] = lambda _: None) -> None:
        self._folder, self._control, self._warn = folder, control, warn

    def check(self) -> None:
        """Raise CheckpointNotKept if nothing can be written there; clear away what was half written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for half in self._folder.glob(f"{TEMPORARY}*"):
                shutil.rmtree(half)
        except OSError as error:
            raise CheckpointNotKept(f"{self._folder} cannot be written: {error.strerror or error}") from error

    def kept(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Yield the name of each generation and what reads it, the newest first."""
        for generation in reversed(self._generations()):
            if os.path.lexists(generation / NAME):
                yield str(generation), partial(_read_ours, generation / NAME)

    def write(self, packed: bytes) -> None:
        """Keep *packed* as the newest generation, durably, whole or not at all, and the one before.

        Raises:
            CheckpointNotKept: the generations that were there are still there.
        """
        begin = time.monotonic()
        there = self._generations()
        number = int(there[-1].name.removeprefix(PREFIX)) + 1 if there else 1
        beside, generation = self._folder / f"{TEMPORARY}{number}", self._folder / f"{PREFIX}{number:08}"
        try:
            beside.mkdir(mode=0o700)
            write_atomically(beside / NAME, packed)
            beside.rename(generation)
            sync_directory(self._folder)
        except OSError as error:
            shutil.rmtree(beside, ignore_errors=True)
            raise CheckpointNotKept(f"{generation} cannot be written: {error.strerror or error}") from error
        self._tell(number, time.monotonic() - begin, len(packed))
        for old in [*there, generation][:-GENERATIONS]:
            shutil.rmtree(old, ignore_errors=True)

    def remove(self) -> None:
        """Keep nothing any more."""
        for generation in self._generations():
            shutil.rmtree(generation, ignore_errors=True)

    def _generations(self) -> list[Path]:
        return sorted(path for path in self._folder.glob(f"{PREFIX}*") if path.name.removeprefix(PREFIX).isdecimal())

    def _tell(self, number: int, seconds: float, size: int) -> None:
        if self._control is None:
            return
        line = json.dumps({"step": number, "seconds": round(seconds, 6), "bytes": size})
        try:
            with (self._control / SAVED).open("a") as file:
                file.write(f"{line}\n")
        except OSError as error:
            self._warn(f"{self._control / SAVED} cannot be written: {error.strerror or error}; what was saved is kept")


def _read_ours(path: Path) -> bytes:
    """Return what is in *path*.

    Raises:
        CheckpointDamaged: it cannot be read, or somebody else may have written it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise CheckpointDamaged(f"it cannot be read ({error.strerror or error})") from error
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
            raise CheckpointDamaged("it was not read: it runs as code, so it must be a file of yours")
        if about.st_mode & 0o077:
            raise CheckpointDamaged(
                f"it was not read: it runs as code, and its mode {stat.S_IMODE(about.st_mode):o} lets others at it; "
                f"if nobody has changed it: chmod 600 {shlex.quote(str(path))}"
            )
        try:
            return file.read()
        except OSError as error:
            raise CheckpointDamaged(f"it cannot be read ({error.strerror or error})") from error
