"""The holes of sparse files: what was never written takes no time and no space in a snapshot either."""

import errno
import os

from idleq.migration.manifest import Extents

SMALLEST_HOLE = 1 << 16
"""Shorter ones are stored as the zeros that they read as: telling them apart would cost more."""

MOST_EXTENTS = 1 << 16
"""A file of more pieces is stored as if it had no holes; its manifest would be too long."""

BLOCK = 512
"""What st_blocks counts in."""


def extents_of(descriptor: int) -> Extents | None:
    """Return where the file holds data; None if it is not worth telling."""
    found = os.fstat(descriptor)
    if found.st_size - found.st_blocks * BLOCK < SMALLEST_HOLE:
        return None
    extents: list[tuple[int, int]] = []
    end = 0
    while (begin := _seek(descriptor, end, os.SEEK_DATA)) is not None:
        end = _seek(descriptor, begin, os.SEEK_HOLE) or found.st_size
        if extents and begin - sum(extents[-1]) < SMALLEST_HOLE:
            begin = extents.pop()[0]
        extents.append((begin, end - begin))
        if len(extents) > MOST_EXTENTS:
            return None
    return tuple(extents)


def _seek(descriptor: int, place: int, whence: int) -> int | None:
    try:
        return os.lseek(descriptor, place, whence)
    except OSError as error:
        if error.errno == errno.ENXIO:  # there is no data behind this place
            return None
        raise
