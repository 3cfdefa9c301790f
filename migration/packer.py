"""Decides how each snapshot is packed: by what was configured, and by what writing and compressing turn out to take here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from idleq.migration import trying
from idleq.migration.checksum import quickest
from idleq.migration.packing import Packing, usable_threads
from idleq.migration.rates import level_for, write_rate
from idleq.migration.sealing import NO_KEYS, Keyring
from idleq.migration.tree import Item

Compression = Literal["auto", "on", "off"]

WORTH_TRYING = 4 << 20
"""A snapshot of fewer bytes is written before it is known whether compressing it pays."""

TELLING = 8 << 20
"""A snapshot of fewer bytes says nothing of how fast the file system is: most of its time goes with files, not bytes."""


@dataclass(slots=True)
class Packer:
    """Packs the snapshots of one agent.

    Attributes:
        compression: whether they are compressed: "auto" for where that makes them sooner done.
        keys: what encrypts them.
        write_rate: bytes a second that the file system takes, to the disk, as was last seen; None if that is not known.
        least_rate: bytes a second that it took of the last snapshot if that was compressed, and could be more; 0 if it was not.
    """

    compression: Compression = "off"
    keys: Keyring = NO_KEYS
    write_rate: float | None = None
    least_rate: float = 0.0

    def packing_for(self, items: Sequence[Item], folder: Path) -> Packing:
        """Return how *items* are packed that are written to *folder*."""
        plain = Packing(key=self.keys.newest, threads=usable_threads(), checksum=quickest())
        return replace(plain, level=self._level(items, folder, plain))

    def learn(self, packing: Packing, written: int, seconds: float) -> None:
        """Know what writing so many bytes took; where they were compressed on the way, the file system may be faster than that."""
        if self.compression == "auto" and written >= TELLING:
            rate = written / max(seconds, 1e-6)
            self.least_rate = rate if packing.level else 0.0
            self.write_rate = max(rate, self.write_rate or 0.0) if packing.level else rate

    def _level(self, items: Sequence[Item], folder: Path, plain: Packing) -> int:
        if self.compression == "off":
            return 0
        sizes = sorted(((_size(item), item.source) for item in items if not item.is_folder), reverse=True)
        total = sum(size for size, _ in sizes)
        if total < WORTH_TRYING:
            return trying.LEVELS[0] if self.compression == "on" else 0
        size, largest = sizes[0]
        if self.compression == "on":
            return level_for(1.0, trying.tried_levels(largest, size, plain), gain=float("inf"))
        rate = self._rate(total, folder, plain)
        return 0 if rate is None else level_for(rate, trying.tried_levels(largest, size, plain))

    def _rate(self, total: int, folder: Path, plain: Packing) -> float | None:
        """Return how fast the file system is; None if that is not known, and a snapshot of *total* bytes does not pay for finding out."""
        is_old = self.write_rate is None or self.least_rate > 0
        if is_old and total >= trying.WORTH_PROBING:
            self.write_rate = max(write_rate(trying.tried_writes(folder, plain, total)), self.least_rate)
        return self.write_rate


PLAIN = Packer()


def _size(item: Item) -> int:
    return item.source.stat().st_size if item.length is None else item.length
