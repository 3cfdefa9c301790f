"""Files that hold a simulation while it does not run. What is in them runs as code: they are read only if they are ours."""

import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from idleq.scheduler.atomic import sync_directory, write_atomically
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
        folder = self._path.parent
        if self._path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise CheckpointNotKept(
                f"{self._path} cannot be written: its folder must be there and be yours to write in"
            )

    def kept(self) -> Iterator[tuple[str, bytes]]:
        """Yield its name and content, if it is there."""
        content = _read_ours(self._path)
        if content is not None:
            yield str(self._path), content

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
    """The checkpoint folder of a guest of idleq, as the workload contract wants it; its agent is told of each save."""

    def __init__(self, folder: Path, control: Path | None) -> None:
        self._folder, self._control = folder, control

    def check(self) -> None:
        """Raise CheckpointNotKept if nothing can be written there; clear away what was half written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for half in self._folder.glob(f"{TEMPORARY}*"):
                shutil.rmtree(half)
        except OSError as error:
            raise CheckpointNotKept(f"{self._folder} cannot be written: {error.strerror or error}") from error

    def kept(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of each generation, the newest first."""
        for generation in reversed(self._generations()):
            content = _read_ours(generation / NAME)
            if content is not None:
                yield str(generation), content

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
        if self._control is not None:
            line = json.dumps({"step": number, "seconds": round(seconds, 6), "bytes": size})
            with (self._control / SAVED).open("a") as file:
                file.write(f"{line}\n")


def _read_ours(path: Path) -> bytes | None:
    """Return what is in *path*, None if it is not there.

    Raises:
        CheckpointDamaged: it cannot be read, or somebody else may have written it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointDamaged(f"{path} cannot be read: {error.strerror or error}") from error
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
            raise CheckpointDamaged(
                f"{path} was not read: it runs as code, so it must be a file of yours with mode 0600"
            )
        return file.read()
