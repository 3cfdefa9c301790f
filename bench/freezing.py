"""What putting a snapshot away costs beside writing its bytes: checksums, compression, encryption; everything to the disk, in turns.

Of each size and way the copy and the snapshot follow each other, so that others' work on the machine meets both; the figure is the
middle of the ratios of such pairs. The file is in the page cache for both, as what a freeze has just written is.
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench.row import Row
from idleq.migration import snapshot
from idleq.migration.here import origin_here
from idleq.migration.manifest import APP
from idleq.migration.packer import Packer
from idleq.migration.sealing import Key, Keyring
from idleq.migration.tree import Item

T = TypeVar("T")

SIZE = 1_000_000_000
ROUNDS = 7
FEWEST_ROUNDS = 3
LIMIT_SECONDS = 240
"""After this no further round of a way is begun, once there are the fewest."""

BLOCK = 1 << 20
RANDOM_SHARE = 0.3
"""Of each block: weights and images; the rest repeats itself, as most of a process's memory does.."""

TARGET = 1.15

WAYS: dict[str, tuple[Callable[[], Packer], float | None]] = {
    "checksums": (Packer, TARGET),
    "checksums and compression where that pays": (lambda: Packer(compression="auto"), TARGET),
    "checksums and encryption": (lambda: Packer(keys=Keyring((Key(bytes(32)),))), None),
    "checksums, compression where that pays and encryption": (
        lambda: Packer(compression="auto", keys=Keyring((Key(bytes(32)),))),
        None,
    ),
}


def rows() -> list[Row]:
    """One row for each way to put a gigabyte away, and one for having it back."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        source = Path(folder, "memory")
        make(source, SIZE)
        return [
            row
            for name, (packer, target) in WAYS.items()
            for row in measured(Path(folder), source, name, packer(), target)
        ]


def measured(folder: Path, source: Path, name: str, packer: Packer, target: float | None) -> list[Row]:
    """Return the rows of one way."""
    pairs: list[tuple[float, float, float]] = []
    stored = 0
    begun = time.monotonic()
    while len(pairs) < ROUNDS and (len(pairs) < FEWEST_ROUNDS or time.monotonic() - begun < LIMIT_SECONDS):
        plain, _ = timed(lambda: copied(source, folder / "copy"))
        frozen, published = timed(lambda: kept(folder, source, packer))
        back, _ = timed(partial(thawed, folder, published, packer))
        pairs.append((plain, frozen, back))
        stored = published.bytes
        for leftover in ("snapshots", "back"):
            shutil.rmtree(folder / leftover)
        (folder / "copy").unlink()
    return rows_of(name, pairs, stored, target)


def rows_of(name: str, pairs: list[tuple[float, float, float]], stored: int, target: float | None) -> list[Row]:
    gigabytes = f"{SIZE / 1e9:g} GB"
    ratios = sorted(frozen / plain for plain, frozen, _ in pairs)
    plain, frozen, back = (statistics.median(column) for column in zip(*pairs, strict=True))
    note = (
        f"middle of {len(pairs)} pairs in turns, {ratios[0]:.2f} to {ratios[-1]:.2f}; the copy {plain:.2f} s, the snapshot"
        f" {frozen:.2f} s, of which {stored / 1e6:.0f} MB were written"
    )
    return [
        Row(
            name=f"putting {gigabytes} away with {name}, beside a plain copy of the same bytes, both to the disk",
            value=round(statistics.median(ratios), 3),
            unit="times",
            target=target,
            note=note,
        ),
        Row(name=f"having them back and verified, stored with {name}", value=round(back, 2), unit="s"),
    ]


def make(path: Path, size: int) -> None:
    """Write a file like a process's memory."""
    chosen = int(BLOCK * RANDOM_SHARE)
    with path.open("wb") as file:
        for number in range(0, size, BLOCK):
            line = b"%016d some page of a heap that repeats itself " % number
            block = os.urandom(chosen) + (line * (BLOCK // len(line)))[: BLOCK - chosen]
            file.write(block[: size - number])


def copied(source: Path, target: Path) -> None:
    """Write the same bytes, and wait for the disk."""
    with source.open("rb", buffering=0) as reading, target.open("wb", buffering=0) as writing:
        while piece := reading.read(BLOCK):
            writing.write(piece)
        os.fsync(writing.fileno())


def kept(folder: Path, source: Path, packer: Packer) -> snapshot.Published:
    items = [
        Item(path="output", source=folder, is_folder=True),
        Item(path="output/memory", source=source, is_folder=False),
    ]
    return snapshot.publish(items, folder / "snapshots" / "0001-0001", kind=APP, origin=origin_here(1), packer=packer)


def thawed(folder: Path, published: snapshot.Published, packer: Packer) -> None:
    (folder / "back").mkdir()
    snapshot.restore(folder / "snapshots" / "0001-0001", published.digest, {"output": folder / "back"}, packer.keys)


def timed(work: Callable[[], T]) -> tuple[float, T]:
    begin = time.perf_counter()
    done = work()
    return time.perf_counter() - begin, done
