"""Tries what writing to a file system takes, and what compressing some data takes: all of a snapshot's way but its length."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from idleq.migration import copying
from idleq.migration.checksum import Digest
from idleq.migration.packing import PIECE, Packing
from idleq.migration.rates import Trial, Write

LEVELS = (1, 3)
"""Higher ones are slower than any file system that is worth having."""

SAMPLES = 16
"""Pieces of a file that are compressed for a trial: enough that several threads have work."""

STEPS = (2 << 20, 4 << 20, 8 << 20, 16 << 20, 32 << 20)
"""Bytes that are written in turn to learn how fast the file system is."""

FEWEST_STEPS = 3
"""So many sizes at least tell what each file costs from what each byte does."""

SMALL_PART = 16
"""What is tried is no more than this part of the snapshot's bytes."""

WORTH_PROBING = SMALL_PART * sum(STEPS[:FEWEST_STEPS])
"""For a snapshot of fewer bytes nothing is written to learn how fast the file system is."""

PATIENCE_SECONDS = 0.25
"""No further step once they took so long: so slow a file system is known well enough."""


def tried_writes(folder: Path, packing: Packing, total: int) -> list[Write]:
    """Return what files of a few sizes took that cannot be squeezed, written to *folder* as a snapshot of *total* bytes is, not compressed."""
    path, piece, plain = copying.half_written(folder / "probe"), os.urandom(PIECE), replace(packing, level=0)
    writes: list[Write] = []
    for size in STEPS:
        if len(writes) >= FEWEST_STEPS and _is_enough(writes, size, total):
            break
        try:
            begin = time.perf_counter()
            with copying.new_file(path) as writing:
                pieces = (piece for _ in range(size // PIECE))
                copying.write_hashed(plain.stored(pieces, path.name, size), writing, plain.checksum)
                os.fsync(writing)
            writes.append(Write(size, time.perf_counter() - begin))
        finally:
            path.unlink(missing_ok=True)
    return writes


def _is_enough(writes: Sequence[Write], size: int, total: int) -> bool:
    took = sum(write.seconds for write in writes)
    return took > PATIENCE_SECONDS or SMALL_PART * (sum(write.bytes for write in writes) + size) > total


def tried_levels(path: Path, size: int, packing: Packing) -> dict[int, Trial]:
    """Return what each level makes of the file's data, and how fast, with all that its bytes go through except the disk."""
    sample = list(_sample(path, size))
    length = sum(map(len, sample))
    return {level: _tried(sample, length, size, replace(packing, level=level)) for level in LEVELS}


def _sample(path: Path, size: int) -> Iterator[bytes]:
    """Yield pieces from all over the file, all of it if it is small."""
    with copying.opened(path, os.O_RDONLY) as reading:
        for number in range(SAMPLES):
            place = size * number // SAMPLES
            yield os.pread(reading, min(PIECE, size * (number + 1) // SAMPLES - place), place)


def _tried(sample: Sequence[bytes], length: int, size: int, packing: Packing) -> Trial:
    begin = time.perf_counter()
    with Digest(packing.checksum) as digest:
        # As large as the file is, since by that it is decided how many threads compress.
        for _ in copying.hashed(packing.stored(sample, "", size), digest):
            pass
        digest.hexdigest()
        left = digest.length
    return Trial(length / max(time.perf_counter() - begin, 1e-6), left / max(length, 1))
