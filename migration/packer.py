"""Decides how each snapshot is packed: by what was configured, and by what writing and compressing turn out to take here."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from idleq.migration import copying
from idleq.migration.checksum import quickest
from idleq.migration.packing import PIECE, Packing, compressed, usable_threads
from idleq.migration.rates import Trial, level_for
from idleq.migration.sealing import NO_KEYS, Keyring
from idleq.migration.tree import Item

Compression = Literal["auto", "on", "off"]

LEVELS = (1, 3)
"""Higher ones are slower than any file system that is worth having."""

WORTH_TRYING = 4 << 20
"""A snapshot of fewer bytes is written before it is known whether compressing it pays."""

SAMPLES = 4
SAMPLE = 1 << 18

PROBE = 8 << 20
"""Bytes written to learn how fast the file system is, as long as no snapshot has told."""


@dataclass(slots=True)
class Packer:
    """Packs the snapshots of one agent.

    Attributes:
        compression: whether they are compressed: "auto" for where that makes them sooner done.
        keys: what encrypts them.
        write_rate: bytes a second that the file system last took, to the disk; None if that is not known yet.
    """

    compression: Compression = "off"
    keys: Keyring = NO_KEYS
    write_rate: float | None = None

    def packing_for(self, items: Sequence[Item], folder: Path) -> Packing:
        """Return how *items* are packed that are written to *folder*."""
        level = self._level(items, folder)
        return Packing(level=level, key=self.keys.newest, threads=usable_threads(), checksum=quickest())

    def learn(self, packing: Packing, written: int, seconds: float) -> None:
        """Know what writing so many bytes took; where it was compressed beside it, that says nothing of the file system alone."""
        if self.compression == "auto" and written >= PROBE:
            self.write_rate = None if packing.level else written / max(seconds, 1e-6)

    def _level(self, items: Sequence[Item], folder: Path) -> int:
        if self.compression == "off":
            return 0
        sizes = sorted(((_size(item), item.source) for item in items if not item.is_folder), reverse=True)
        total = sum(size for size, _ in sizes)
        if total < WORTH_TRYING:
            return LEVELS[0] if self.compression == "on" else 0
        trials = _tried(_sample(sizes[0][1], sizes[0][0]), usable_threads())
        if self.compression == "on":
            return level_for(1.0, trials, gain=float("inf"))
        if self.write_rate is None:
            self.write_rate = PROBE / max(_probed(folder), 1e-6)
        return level_for(self.write_rate, trials)


PLAIN = Packer()


def _size(item: Item) -> int:
    return item.source.stat().st_size if item.length is None else item.length


def _sample(path: Path, size: int) -> bytes:
    """Return pieces from all over the file."""
    with path.open("rb") as file:
        pieces = []
        for place in range(SAMPLES):
            file.seek(size * place // SAMPLES)
            pieces.append(file.read(SAMPLE))
    return b"".join(pieces)


def _tried(sample: bytes, threads: int) -> dict[int, Trial]:
    trials = {}
    for level in LEVELS:
        begin = time.perf_counter()
        left = sum(map(len, compressed([sample], level, 0)))
        seconds = max(time.perf_counter() - begin, 1e-6)
        trials[level] = Trial(threads * len(sample) / seconds, left / max(len(sample), 1))
    return trials


def _probed(folder: Path) -> float:
    """Return how many seconds the file system takes for PROBE bytes that it cannot squeeze."""
    path, piece = copying.half_written(folder / "probe"), os.urandom(PIECE)
    try:
        begin = time.perf_counter()
        with copying.new_file(path) as writing:
            for _ in range(PROBE // PIECE):
                copying.write_all(writing, piece)
            os.fsync(writing)
        return time.perf_counter() - begin
    finally:
        path.unlink(missing_ok=True)
