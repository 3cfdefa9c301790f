"""What the agent has to say, numbered and on the disk before anybody hears it: an exit code outlives the agent."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from idleq.ids import Fence, JobId
from idleq.scheduler import codec
from idleq.scheduler.core.inputs import AgentInput, Exited, Frozen, SnapshotRejected
from idleq.scheduler.errors import BadMessage

SegmentEnd = Frozen | Exited | SnapshotRejected

ENDS_KEPT = 4096
"""How many ends are remembered for repeating them; older ones have long been taken."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report: its number, and the JSON line that says it."""

    number: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Written:
    """A line of the file, as far as it is read back."""

    number: int
    kind: str
    body: msgspec.Raw


@dataclass(slots=True)
class Reports:
    """The reports of one agent in *path*; `open_reports` makes one.

    Attributes:
        path: where they are written.
        ends: how the last segments here ended.
    """

    path: Path
    ends: dict[tuple[JobId, Fence], SegmentEnd] = field(default_factory=dict)
    _size: int = 0
    _last: int = 0
    _unwritten: list[Report] = field(default_factory=list)
    _untaken: dict[int, Report] = field(default_factory=dict)

    def add(self, said: AgentInput) -> None:
        """Say something; `flush` makes it last."""
        if isinstance(said, SegmentEnd):
            self._remember(said)
        self._last += 1
        kind, body = codec.encode(said)
        line = b'{"number":%d,"kind":"%s","body":%s}' % (self._last, kind.encode(), body)
        self._unwritten.append(Report(self._last, line))

    def flush(self) -> None:
        """Write all that was said, with one wait for the disk.

        Raises:
            OSError: nothing more is in the file than before; the next call tries again.
        """
        if not self._unwritten:
            return
        content = b"".join(report.line + b"\n" for report in self._unwritten)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._append(descriptor, content)
        finally:
            os.close(descriptor)
        self._size += len(content)
        self._untaken.update((report.number, report) for report in self._unwritten)
        self._unwritten.clear()

    def untaken(self) -> tuple[Report, ...]:
        """Return what is written and not known to be taken, oldest first."""
        return tuple(self._untaken.values())

    def take(self, number: int) -> None:
        """The daemon has everything up to *number*."""
        for old in [known for known in self._untaken if known <= number]:
            del self._untaken[old]

    def _append(self, descriptor: int, content: bytes) -> None:
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            # Half a line would make the next one unreadable.
            os.ftruncate(descriptor, self._size)
            raise

    def _remember(self, end: SegmentEnd) -> None:
        self.ends[end.job, end.fence] = end
        if len(self.ends) > ENDS_KEPT:
            del self.ends[next(iter(self.ends))]

    def recall(self, content: bytes) -> None:
        """Go on where an earlier agent of this allocation stopped, which wrote *content*; half a last line is cut off."""
        whole, newline, _ = content.rpartition(b"\n")
        self._size = len(whole) + len(newline)
        os.truncate(self.path, self._size)
        for line in whole.splitlines():
            try:
                written = codec.from_json(line, Written)
                said = codec.decode(written.kind, bytes(written.body), AgentInput)
            except BadMessage:
                continue
            self._last = max(self._last, written.number)
            self._untaken[written.number] = Report(written.number, line)
            if isinstance(said, SegmentEnd):
                self._remember(said)


def open_reports(path: Path) -> Reports:
    """Return the reports in *path*, with what an earlier agent has said."""
    reports = Reports(path)
    if path.exists():
        reports.recall(path.read_bytes())
    return reports
