"""Logs in the Standard Workload Format (swf): read with tolerance, cleaned as the SC'15 study of backfilling cleaned them.

A line that cannot be used never stops the reading: it is dropped, and the trace says so.
"""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from idleq.simulator.errors import BadTrace
from idleq.simulator.table import Column, JobTable
from idleq.simulator.trace import Dropped, Trace

NEEDED = 9
"""A line with fewer columns is none: the ninth is the time limit."""

COLUMNS = 16
"""So many columns are kept (to the partition); those that a line lacks are -1, those behind are left alone."""

JOB, SUBMIT, WAIT, RUN, ALLOCATED, USED_KB, REQUESTED, ESTIMATE, REQUESTED_KB, USER, QUEUE = (
    0,
    1,
    2,
    3,
    4,
    6,
    7,
    8,
    9,
    11,
    14,
)
"""Where the columns stand that something is made of."""

TOO_FEW = f"fewer than {NEEDED} columns"
NO_NUMBER = "a column is not a number"
KB = 1024
_MOST_KB = 2**50
"""More is no memory, and would not fit a column in bytes."""
GZIPPED = b"\x1f\x8b"
"""So begin files that are compressed with gzip."""
_LARGEST = 2**53
"""Larger numbers do not pass through a float unharmed."""


@dataclass(frozen=True, slots=True, eq=False)
class SwfLog:
    """A log as it is in the file: header fields, rows with their line numbers, and lines that are none."""

    header: dict[str, str]
    lines: Column
    rows: NDArray[np.int64]
    dropped: tuple[Dropped, ...]

    @property
    def processors(self) -> int | None:
        """How many processors the header names (MaxProcs, else MaxNodes)."""
        header = {key.lower(): value for key, value in self.header.items()}
        for key in ("maxprocs", "maxnodes"):
            digits = header.get(key, "").split()[:1]
            if digits and digits[0].isdecimal() and int(digits[0]) > 0:
                return int(digits[0])
        return None


def read_swf(path: Path) -> SwfLog:
    """Read *path*, plain or gzipped.

    Raises:
        BadTrace: it cannot be read, or not one line of it is a job.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadTrace(f"{path} cannot be read as a trace: {error.strerror or error}") from error
    return read_content(raw, path)


def unzipped(raw: bytes) -> bytes:
    """Return what *raw* holds, compressed with gzip or not; raises what gzip does if it is damaged."""
    return gzip.decompress(raw) if raw.startswith(GZIPPED) else raw


def read_content(raw: bytes, path: Path) -> SwfLog:
    """Read what *path* holds.

    Raises:
        BadTrace: not one line of it is a job.
    """
    try:
        text = unzipped(raw).decode("utf-8-sig", errors="replace")
    except (OSError, EOFError, zlib.error) as error:
        raise BadTrace(f"{path} cannot be read as a trace: {error}") from error
    log = parse_swf(text.splitlines())
    if not len(log.rows):
        raise BadTrace(f"{path} holds no job in the Standard Workload Format (18 numbers a line){_hint(text, log)}")
    return log


def _hint(text: str, log: SwfLog) -> str:
    begin = text.lstrip()[:4096]
    if not begin:
        return ": it is empty"
    if begin.startswith("{") or "JobID" in begin:
        return ": it looks like the output of sacct, see `idleq traces import-sacct`"
    return f"; line {log.dropped[0].line}: {log.dropped[0].reason}" if log.dropped else ": it has a header only"


def parse_swf(lines: Iterable[str]) -> SwfLog:
    """Sort *lines* into header fields, rows and lines that are neither."""
    header: dict[str, str] = {}
    numbers: list[int] = []
    body: list[str] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text.startswith(";"):
            key, separator, value = text.lstrip("; ").partition(":")
            if separator:
                header.setdefault(key.strip(), value.strip())
        elif text:
            numbers.append(number)
            body.append(text)
    rows = _read_at_once(body)
    if rows is not None:
        return SwfLog(header, np.asarray(numbers, dtype=np.int64), rows, ())
    return _read_one_by_one(header, numbers, body)


def _read_at_once(body: Sequence[str]) -> NDArray[np.int64] | None:
    """Return the rows of a log that is as it should be; None if any line is not."""
    if not body:
        return None
    try:
        # Whole numbers are exact in a float, and some logs write them with a fraction.
        numbers = np.loadtxt(body, dtype=np.float64, comments=None, usecols=range(COLUMNS), ndmin=2)
    except ValueError:
        return None
    if not np.isfinite(numbers).all() or np.abs(numbers).max() >= _LARGEST:
        return None
    return numbers.astype(np.int64)


def _read_one_by_one(header: dict[str, str], numbers: Sequence[int], body: Sequence[str]) -> SwfLog:
    kept: list[int] = []
    rows: list[list[int]] = []
    dropped: list[Dropped] = []
    for number, text in zip(numbers, body, strict=True):
        row = _parse_row(text)
        if isinstance(row, str):
            dropped.append(Dropped(number, None, row))
        else:
            kept.append(number)
            rows.append(row)
    table = np.asarray(rows, dtype=np.int64).reshape(len(rows), COLUMNS)
    return SwfLog(header, np.asarray(kept, dtype=np.int64), table, tuple(dropped))


def _parse_row(text: str) -> list[int] | str:
    """Return the columns, or why *text* is no row."""
    fields = text.split(None, COLUMNS)[:COLUMNS]
    if len(fields) < NEEDED:
        return TOO_FEW
    try:
        row = [_whole(field) for field in fields]
    except (ValueError, OverflowError):
        return NO_NUMBER
    return row + [-1] * (COLUMNS - len(row))


def _whole(field: str) -> int:
    """Return *field* as an integer; some logs write whole numbers with a fraction."""
    try:
        number = int(field)
    except ValueError:
        number = int(float(field))
    if abs(number) >= _LARGEST:
        raise OverflowError(field)
    return number


def clean(log: SwfLog, processors: int | None = None) -> Trace:
    """Return what of *log* a queue of *processors* (the header's number if None) can run.

    Raises:
        BadTrace: neither the header nor the caller says how large the machine is, or nothing is left.
    """
    machine = processors or log.processors
    if machine is None:
        raise BadTrace("the trace's header has no MaxProcs: say how many processors the machine has (--procs)")
    if machine > MOST_PROCESSORS:
        raise BadTrace(f"the trace's header says {machine} processors: up to {MOST_PROCESSORS} are possible (--procs)")
    reasons = _unusable(log.rows, machine)
    dropped = list(log.dropped)
    dropped += (
        Dropped(int(log.lines[place]), int(log.rows[place, JOB]), REASONS[reasons[place]])
        for place in np.flatnonzero(reasons).tolist()
    )
    dropped.sort(key=lambda entry: entry.line or 0)
    rows = log.rows[reasons == 0]
    if not len(rows):
        raise BadTrace(f"no job of the trace can run on {machine} processors: {_counts(dropped)}")
    rows = _numbered(rows)
    # Ties stay in the file's order, which first-come-first-served needs.
    rows = rows[np.argsort(rows[:, SUBMIT], kind="stable")]
    shortened = int((rows[:, RUN] > rows[:, ESTIMATE]).sum())
    return Trace(machine, _table(rows), tuple(dropped), shortened)


MOST_PROCESSORS = 10**7

LONGEST_RUN = 100 * 366 * 86_400
"""Seconds: whatever says that it ran longer did not."""

TOO_LARGE = "larger than the machine"
REASONS = (
    "",
    TOO_LARGE,
    "no number of processors",
    "no run time",
    "no time limit",
    "no submit time",
    "a run of more than 100 years",
    "its number came before",
)


def _unusable(rows: NDArray[np.int64], processors: int) -> NDArray[np.int64]:
    """Return the place in `REASONS` of why each row is dropped; the order of the rules is the study's."""
    wrong = (
        np.maximum(rows[:, ALLOCATED], rows[:, REQUESTED]) > processors,
        (rows[:, REQUESTED] <= 0) & (rows[:, ALLOCATED] <= 0),
        rows[:, RUN] <= 0,
        rows[:, ESTIMATE] <= 0,
        rows[:, SUBMIT] < 0,
        rows[:, RUN] > LONGEST_RUN,
    )
    reasons = np.zeros(len(rows), dtype=np.int64)
    for number, is_so in reversed(list(enumerate(wrong, start=1))):
        reasons[is_so] = number
    usable = np.flatnonzero(reasons == 0)
    usable = usable[rows[usable, JOB] >= 0]  # those without a number get one
    first = np.unique(rows[usable, JOB], return_index=True)[1]
    again = np.delete(usable, first)
    reasons[again] = len(wrong) + 1
    return reasons


def _numbered(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return *rows* with a number for each job that has none: those that follow the largest, in the file's order."""
    unnumbered = rows[:, JOB] < 0
    if unnumbered.any():
        rows = rows.copy()
        begin = max(0, int(rows[:, JOB].max())) + 1
        rows[unnumbered, JOB] = np.arange(begin, begin + int(unnumbered.sum()))
    return rows


def _table(rows: NDArray[np.int64]) -> JobTable:
    size = np.where(rows[:, REQUESTED] > 0, rows[:, REQUESTED], rows[:, ALLOCATED])
    own = {"id": JOB, "submit": SUBMIT, "limit": ESTIMATE, "user": USER, "queue": QUEUE}
    columns = {name: np.ascontiguousarray(rows[:, place]) for name, place in own.items()}
    run = np.minimum(rows[:, RUN], rows[:, ESTIMATE])
    return JobTable(run=run, size=size, memory=_memory(rows), **columns)


def _memory(rows: NDArray[np.int64]) -> Column:
    """Return the bytes for each processor: requested, else used, else unknown."""
    kilobytes = np.where(rows[:, REQUESTED_KB] > 0, rows[:, REQUESTED_KB], rows[:, USED_KB])
    return np.where(kilobytes > 0, np.minimum(kilobytes, _MOST_KB) * KB, -1)


def _counts(dropped: Iterable[Dropped]) -> str:
    counts = Counter(entry.reason for entry in dropped)
    return ", ".join(f"{count} x {reason}" for reason, count in counts.most_common())
