"""New lines of a JSON-lines file that somebody else is writing."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idleq.migration.copying import plain_file, read_pieces

MOST = 1 << 20
"""Bytes read at once; of a longer stretch only the last part, for what counts is the newest line."""


@dataclass(slots=True)
class Tail:
    """Reads *path* from where it has come to; a file that got shorter or was replaced is read from its beginning."""

    path: Path
    _offset: int = 0
    _inode: int = 0

    def new_lines(self) -> list[dict[str, Any]]:
        """Return the objects that whole new lines hold; a line that is still being written waits, nonsense is passed over."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - asked of every guest every second
        except OSError:
            return []
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._inode, self._offset = status.st_ino, 0
        if status.st_size == self._offset:
            return []
        return self._read(status.st_size)

    def _read(self, size: int) -> list[dict[str, Any]]:
        skipped = size - self._offset > MOST
        start = size - MOST if skipped else self._offset
        try:
            with plain_file(self.path, self.path.parent) as reading:
                os.lseek(reading, start, os.SEEK_SET)
                whole, newline, _ = b"".join(read_pieces(reading, size - start)).rpartition(b"\n")
        except OSError:
            return []
        self._offset = start + len(whole) + len(newline)
        lines = whole.split(b"\n")[1:] if skipped else whole.split(b"\n")
        return [found for line in lines if isinstance(found := _parsed(line), dict)]


def whole_number(line: dict[str, Any], key: str) -> int | None:
    """Return the line's *key* if it is a whole number that makes sense as a count."""
    value = line.get(key)
    return value if type(value) is int and 0 <= value < 1 << 53 else None


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
