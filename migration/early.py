"""Puts away the memory of a guest while criu still writes it: a freeze then takes as long as the slower of the two, not as both in turn.

Criu appends to one file of memory after the other, and never goes back in one. So what is there can be compressed, encrypted, digested
and written to the snapshot's disk already, and little is left to do at the end. Whatever is not stored so is stored afterwards.
"""

import os
import shutil
import threading
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


class InVain(Exception):
    """What is being stored is of no use any more."""


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
    """

    beside: Path
    packing: Packing
    entries: Mapping[str, FileEntry]
    states: Mapping[str, FileState]

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
        trouble: what kept it from storing anything; empty if nothing did.
    """

    images: Path
    path: str
    beside: Path
    files: str
    packer: Packer
    early: Early | None = None
    trouble: str = ""
    _is_over: threading.Event = field(default_factory=threading.Event)
    _is_vain: bool = False
    # Once this is over others may write beside: nothing is removed there then.
    _place: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._run, name="early", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads here: all of it is stored afterwards
            self.trouble = str(error)
        else:
            self._thread = thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._place:
            self._is_vain = kind is not None
            self._is_over.set()
        # Where the freeze has failed its guest is asked at once to save itself: the thread is left to come to its end alone.
        if self._thread is not None and not self._is_vain:
            self._thread.join()

    def _run(self) -> None:
        early = None
        try:
            early = self._stored()
        except InVain:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, all is stored afterwards, or that says what goes wrong
            self.trouble = f"{type(error).__name__}: {error}"
        if early is None or self._is_vain:
            shutil.rmtree(self.beside, ignore_errors=True)
        else:
            self.early = early

    def _stored(self) -> Early | None:
        packing: Packing | None = None
        entries: dict[str, FileEntry] = {}
        states: dict[str, FileState] = {}
        folder = self.beside / self.files / self.path
        for pages, after in self._large():
            if packing is None:
                self._make(folder)
                packing = self._packing_by(pages)
            path = f"{self.path}/{pages.name}"
            with copying.opened(pages, os.O_RDONLY) as reading:
                appended = self._appended(reading, after)
                entries[path] = stored.store_pieces(appended, reading, path, folder / pages.name, packing)
                # Of its size what was read counts: what has come since is not stored.
                states[path] = FileState.of(os.fstat(reading))._replace(size=entries[path].size)
        if packing is None:
            return None
        return Early(beside=self.beside, packing=packing, entries=entries, states=states)

    def _packing_by(self, pages: Path) -> Packing:
        so_far = Item(path=pages.name, source=pages, is_folder=False, length=_size(pages))
        return self.packer.packing_for((so_far,), self.beside)

    def _make(self, folder: Path) -> None:
        with self._place:
            if self._is_over.is_set():
                raise InVain
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
                self._is_over.wait(GLANCE_SECONDS)

    def _appended(self, reading: int, after: Path) -> Iterator[bytes]:
        """Yield what is in a file of memory and what comes, until the one *after* it is begun, or nothing comes any more."""
        done = seen = 0
        is_whole = False
        while not is_whole:
            # Looked at before it is read, so that nothing is missed. While more comes it is read up to the size of the glance before:
            # not every processor shows a file's new size later than the bytes.
            is_whole = self._is_over.is_set() or after.exists()
            for piece in copying.read_pieces(reading, None if is_whole else seen - done):
                if self._is_vain:
                    raise InVain
                yield piece
                done += len(piece)
            if not is_whole:
                seen = os.fstat(reading).st_size
                self._is_over.wait(GLANCE_SECONDS)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
