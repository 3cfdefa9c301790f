import os
from pathlib import Path

import pytest

from idleq.scheduler.atomic import write_atomically


def test_the_file_holds_what_was_written_and_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    before = os.umask(0)
    try:
        write_atomically(path, b"one")
        write_atomically(path, b"two")
    finally:
        os.umask(before)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_is_the_one_asked_for(tmp_path: Path) -> None:
    write_atomically(tmp_path / "cert.pem", b"", mode=0o644)
    assert (tmp_path / "cert.pem").stat().st_mode & 0o777 == 0o644


def test_who_has_the_old_file_open_goes_on_reading_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomically(path, b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old"


def test_a_write_that_fails_leaves_the_old_content_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError, match="f"):
        write_atomically(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
