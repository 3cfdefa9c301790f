"""Puts away the memory of a guest while criu still writes it: a freeze then takes as long as the slower of the two, not as both in turn.

Criu appends to one file of memory after the other, and never goes back in one. So what is there can be compressed, encrypted, digested
and written to the snapshot's disk already, and little is left to do at the end. Whatever is not stored so is stored afterwards.
"""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from idleq.migration import copying, stored
from idleq.migration.manifest import FileEntry
from idleq.migration.packer import Packer
from idleq.migration.packing import Packing
from idleq.migration.tree import Item
from idleq.migration.trying import WORTH_PROBING

WORTH_STORING = WORTH_PROBING
"""A file of fewer bytes is soon stored afterwards. By so many it can be decided how all of the snapshot is packed."""

GLANCE_SECONDS = 0.005
"""Between two looks for more; criu writes some ten megabytes meanwhile."""

PRIVATE = 0o700


class FileState(NamedTuple):
    """Which file it is, and what shows that it was written to."""

    device: int
    number: int
    size: int
    written_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        """Return what is *found* of a file."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Early:
    """Files of a snapshot that are stored before the others are there.

    Attributes:
        beside: where the snapshot is being made.
        packing: how they are packed, as all of it must be.
        entries: what its manifest says of them, by their paths.
        states: what the files were that were read, when all was read.
        seconds: what storing them took, without waiting for more of them.
    """

    beside: Path
    packing: Packing
    entries: Mapping[str, FileEntry]
    states: Mapping[str, FileState]
    seconds: float

    @property
    def bytes(self) -> int:
        """What the files hold."""
        return sum(entry.size for entry in self.entries.values())

    def entry_of(self, item: Item) -> FileEntry | None:
        """Return what is stored of *item*, if that is all of it, and of the same file: one that was written once more is another."""
        is_stored = self.states.get(item.path) == FileState.of(item.source.stat())
        return self.entries[item.path] if is_stored else None

    def discard(self) -> None:
        """Remove them: there will be no such snapshot."""
        shutil.rmtree(self.beside, ignore_errors=True)


@dataclass(slots=True, kw_only=True)
class EarlyStore:
    """While it is entered, a thread stores what criu appends to large files of memory.

    Attributes:
        images: the folder that criu writes to; it may not be there yet.
        path: what that is called in the snapshot.
        beside: where the snapshot is to be made; nothing is there yet.
        files: the name of the folder in it that holds its files.
        packer: decides how they are packed.
        early: what was stored, when this is left; None if that is nothing, or is of no use.
    """

    images: Path
    path: str
    beside: Path
    files: str
    packer: Packer
    early: Early | None = None
    _is_over: threading.Event = field(default_factory=threading.Event)
    _is_vain: bool = False
    _waited: float = 0.0
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="early", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_vain = kind is not None
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        # Whatever goes wrong here is met again, and told, when all of the snapshot is stored: no guest is lost by this.
        with contextlib.suppress(Exception):
            early = self._stored()
            self.early = None if self._is_vain else early
        if self.early is None:
            shutil.rmtree(self.beside, ignore_errors=True)

    def _stored(self) -> Early | None:
        packing: Packing | None = None
        entries: dict[str, FileEntry] = {}
        states: dict[str, FileState] = {}
        folder, begun = self.beside / self.files / self.path, 0.0
        for pages, after in self._large():
            if packing is None:
                begun, self._waited = time.perf_counter(), 0.0
                self._make(folder)
                so_far = Item(path=pages.name, source=pages, is_folder=False, length=_size(pages))
                packing = self.packer.packing_for((so_far,), self.beside)
            path = f"{self.path}/{pages.name}"
            with copying.opened(pages, os.O_RDONLY) as reading:
                appended = self._appended(reading, after)
                entries[path] = stored.store_pieces(appended, reading, path, folder / pages.name, packing)
                states[path] = FileState.of(os.fstat(reading))._replace(size=entries[path].size)
        if packing is None:
            return None
        took = time.perf_counter() - begun - self._waited
        return Early(beside=self.beside, packing=packing, entries=entries, states=states, seconds=took)

    def _make(self, folder: Path) -> None:
        self.beside.parent.mkdir(parents=True, exist_ok=True)
        copying.remove_half_written(self.beside.parent)
        for each in (self.beside, folder.parent, folder):
            each.mkdir(mode=PRIVATE)

    def _large(self) -> Iterator[tuple[Path, Path]]:
        """Yield each file of memory that has become large, with the one that is written after it."""
        number = 1
        while not self._is_over.is_set():
            pages, after = (self.images / f"pages-{one}.img" for one in (number, number + 1))
            if _size(pages) >= WORTH_STORING:
                yield pages, after
            if after.exists():
                number += 1
            else:
                self._wait()

    def _appended(self, reading: int, after: Path) -> Iterator[bytes]:
        """Yield what is in a file of memory and what comes, until the one *after* it is begun, or nothing comes any more."""
        is_whole = False
        while not is_whole:
            # Looked at before it is read, so that nothing is missed.
            is_whole = self._is_over.is_set() or after.exists()
            for piece in copying.read_pieces(reading):
                if self._is_vain:
                    raise InterruptedError("what is being stored is of no use")
                yield piece
            if not is_whole:
                self._wait()

    def _wait(self) -> None:
        begun = time.perf_counter()
        self._is_over.wait(GLANCE_SECONDS)
        self._waited += time.perf_counter() - begun


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
