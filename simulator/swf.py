"""Logs in the Standard Workload Format (swf): read with tolerance, cleaned as the SC'15 study of backfilling cleaned them.

A line that cannot be used never stops the reading: it is dropped, and the trace says so.
"""

import gzip
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from idleq.simulator.errors import BadTrace
from idleq.simulator.jobs import MainJob

_COLUMNS_USED = 9
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class SwfRow:
    """The columns of one line that a queue needs, as they stand in the file (-1: not known)."""

    job: int
    submit: int
    run: int
    allocated: int
    requested: int
    estimate: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that was left out, and why; *job* is None where the line has no number that could be read."""

    line: int
    job: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class SwfLog:
    """A log as it is in the file: header fields, rows with their line numbers, and lines that are none."""

    header: dict[str, str]
    rows: tuple[tuple[int, SwfRow], ...]
    dropped: tuple[Dropped, ...]

    @property
    def processors(self) -> int | None:
        """How many processors the header names (MaxProcs, else MaxNodes)."""
        for key in ("MaxProcs", "MaxNodes"):
            digits = self.header.get(key, "").split()[:1]
            if digits and digits[0].isdigit() and int(digits[0]) > 0:
                return int(digits[0])
        return None


@dataclass(frozen=True, slots=True)
class Trace:
    """Main jobs that a queue of *processors* can run, by submit time, and what was left out."""

    processors: int
    jobs: tuple[MainJob, ...]
    dropped: tuple[Dropped, ...]

    def dropped_by_reason(self) -> dict[str, int]:
        """Count what was left out, the most frequent reason first."""
        return dict(Counter(entry.reason for entry in self.dropped).most_common())


def read_swf(path: Path) -> SwfLog:
    """Read *path*, plain or gzipped.

    Raises:
        BadTrace: it cannot be read, or not one line of it is a job.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw.startswith(_GZIP_MAGIC) else raw).decode("utf-8", errors="replace")
    except (OSError, EOFError) as error:
        raise BadTrace(f"{path} cannot be read as a trace: {error}") from error
    log = parse_swf(text.splitlines())
    if not log.rows:
        first = f"; line {log.dropped[0].line}: {log.dropped[0].reason}" if log.dropped else ""
        raise BadTrace(f"{path} holds no job in the Standard Workload Format (18 numbers a line){first}")
    return log


def parse_swf(lines: Iterable[str]) -> SwfLog:
    """Sort *lines* into header fields, rows and lines that are neither."""
    header: dict[str, str] = {}
    rows: list[tuple[int, SwfRow]] = []
    dropped: list[Dropped] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text.startswith(";"):
            key, separator, value = text.lstrip("; ").partition(":")
            if separator:
                header.setdefault(key.strip(), value.strip())
        elif text:
            row = _parse_row(text)
            if isinstance(row, SwfRow):
                rows.append((number, row))
            else:
                dropped.append(Dropped(number, None, row))
    return SwfLog(header, tuple(rows), tuple(dropped))


def _parse_row(text: str) -> SwfRow | str:
    """Return the row, or why *text* is none."""
    fields = text.split(None, _COLUMNS_USED)
    if len(fields) < _COLUMNS_USED:
        return f"fewer than {_COLUMNS_USED} columns"
    try:
        job, submit, _, run, allocated, _, _, requested, estimate = map(_whole, fields[:_COLUMNS_USED])
    except (ValueError, OverflowError):
        return "a column is not a number"
    return SwfRow(job, submit, run, allocated, requested, estimate)


def _whole(field: str) -> int:
    """Return *field* as an integer; some logs write whole numbers with a fraction."""
    try:
        return int(field)
    except ValueError:
        return int(float(field))


def clean(log: SwfLog, processors: int | None = None) -> Trace:
    """Return what of *log* a queue of *processors* (the header's number if None) can run.

    Raises:
        BadTrace: neither the header nor the caller says how large the machine is, or nothing is left.
    """
    size = processors or log.processors
    if size is None:
        raise BadTrace("the trace's header has no MaxProcs: say how many processors the machine has")
    dropped = list(log.dropped)
    jobs: list[MainJob] = []
    seen: set[int] = set()
    for line, row in log.rows:
        reason = _unusable(row, size) or ("its number came before" if row.job in seen else "")
        if reason:
            dropped.append(Dropped(line, row.job, reason))
            continue
        seen.add(row.job)
        jobs.append(_main_job(row))
    if not jobs:
        raise BadTrace(f"no job of the trace can run on {size} processors: {_reasons(dropped)}")
    # sorted() is stable: ties stay in the file's order, which first-come-first-served needs.
    return Trace(size, tuple(sorted(jobs, key=lambda job: job.submit)), tuple(sorted(dropped, key=lambda d: d.line)))


def _unusable(row: SwfRow, processors: int) -> str:
    """Say why *row* is left out, "" if it is not; the order of the rules is the study's."""
    if max(row.allocated, row.requested) > processors:
        return "larger than the machine"
    if row.requested <= 0 and row.allocated <= 0:
        return "no number of processors"
    if row.run <= 0:
        return "no run time"
    if row.estimate <= 0:
        return "no time limit"
    if row.submit < 0:
        return "no submit time"
    return ""


def _main_job(row: SwfRow) -> MainJob:
    size = row.requested if row.requested > 0 else row.allocated
    return MainJob(id=row.job, submit=row.submit, run=min(row.run, row.estimate), limit=row.estimate, size=size)


def _reasons(dropped: Iterable[Dropped]) -> str:
    counts = Counter(entry.reason for entry in dropped)
    return ", ".join(f"{count} x {reason}" for reason, count in counts.most_common())
