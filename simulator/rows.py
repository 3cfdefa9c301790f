"""The rows of a sweep that are finished: kept line by line, so that whatever ends the sweep costs the unfinished ones only."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from idleq.simulator.errors import SweepForeign, SweepNotKept, SweepRunning

FORMAT = 1
NEWLINE = b"\n"

Row = Mapping[str, Any]
"""Plain values by column."""


class RowsFile:
    """Appends rows under keys to a file, each durably; read *rows* for all that are there.

    A line that was cut short (the machine died, the disk was full) is dropped, and its row is run again. *made_by* names the
    code that makes rows: a file of other code is refused.

    Attributes:
        rows: the finished rows by key.
    """

    def __init__(self, path: Path, made_by: str) -> None:
        """Open *path* for this process alone.

        Raises:
            SweepRunning: another process appends to it.
            SweepForeign: it holds something else, or rows of other code.
            SweepNotKept: it cannot be written.
        """
        self._path = path
        self.rows: dict[str, Row] = {}
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SweepNotKept(f"{path} cannot be written: {error.strerror or error}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read({"sweep": FORMAT, "made_by": made_by})
        except BlockingIOError:
            os.close(self._file)
            raise SweepRunning(f"another process runs a sweep into {path}") from None
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def add(self, key: str, row: Row) -> None:
        """Keep *row* under *key*, durably.

        Raises:
            SweepNotKept: it cannot be written; the rows before it are kept.
        """
        self._append({"key": key, "row": row})
        self.rows[key] = row

    def _append(self, value: Mapping[str, Any]) -> None:
        left = json.dumps(value).encode() + NEWLINE
        try:
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            raise SweepNotKept(f"{self._path} cannot be written: {error.strerror or error}") from error

    def _read(self, header: Mapping[str, Any]) -> None:
        content = Path(self._path).read_bytes()
        whole = content[: content.rfind(NEWLINE) + 1]
        lines = whole.splitlines()
        if (lines and _value_of(lines[0]) != header) or (not lines and content and not _begins(content, header)):
            raise SweepForeign(
                f"{self._path} holds something else, or rows of other code: remove it, or name another file"
            )
        os.ftruncate(self._file, len(whole))
        os.lseek(self._file, 0, os.SEEK_END)
        if not lines:
            self._append(header)
        for line in lines[1:]:
            value = _value_of(line)
            if not isinstance(value, dict) or value.keys() != {"key", "row"}:
                raise SweepForeign(f"{self._path} has a line that no sweep wrote: remove it, or name another file")
            self.rows[value["key"]] = value["row"]


def _value_of(line: bytes) -> object:
    try:
        value: object = json.loads(line)
    except ValueError:
        return None
    return value


def _begins(content: bytes, header: Mapping[str, Any]) -> bool:
    """Whether *content* is what is left of a header that was cut short."""
    return json.dumps(header).encode().startswith(content)
