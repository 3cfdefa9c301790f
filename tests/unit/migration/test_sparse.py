"""Where a file holds data."""

import os
from pathlib import Path

from idleq.migration.sparse import SMALLEST_HOLE, extents_of

BLOCK = 4096


def extents(path: Path) -> object:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return extents_of(descriptor)
    finally:
        os.close(descriptor)


def written(path: Path, size: int, *places: int) -> Path:
    """A file of *size* bytes with a block of data at each of *places*."""
    with path.open("wb") as file:
        for place in places:
            file.seek(place)
            file.write(b"x" * BLOCK)
        file.truncate(size)
        os.fsync(file.fileno())
    return path


def test_a_file_without_holes_has_none_worth_telling(tmp_path: Path) -> None:
    assert extents(written(tmp_path / "f", BLOCK, 0)) is None
    assert extents(written(tmp_path / "empty", 0)) is None


def test_data_is_told_with_the_holes_around_it(tmp_path: Path) -> None:
    far = 10 * SMALLEST_HOLE
    assert extents(written(tmp_path / "f", 3 * far, far)) == ((far, BLOCK),)
    assert extents(written(tmp_path / "ends", far + BLOCK, 0, far)) == ((0, BLOCK), (far, BLOCK))


def test_a_file_that_is_all_hole_has_no_data(tmp_path: Path) -> None:
    assert extents(written(tmp_path / "f", 10 * SMALLEST_HOLE)) == ()


def test_data_with_a_short_hole_between_is_taken_together(tmp_path: Path) -> None:
    place = 2 * BLOCK
    assert place - BLOCK < SMALLEST_HOLE
    assert extents(written(tmp_path / "f", 10 * SMALLEST_HOLE, 0, place)) == ((0, place + BLOCK),)
