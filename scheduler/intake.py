"""Agents' reports: which of them are taken, and where those are found that never came by the API.

An agent numbers its reports and writes each durably before it tells it. So a report may come twice, or be found in its file
after the agent has gone; it may not be lost. The engine makes nothing of most repeats; what must not be repeated at all is
held back here (see `Intake.read_file`).
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from structlog.typing import FilteringBoundLogger

from idleq.ids import AllocationId, CommandId
from idleq.scheduler import codec
from idleq.scheduler.core.inputs import (
    AgentInput,
    AgentLeaving,
    AgentReady,
    CommandFailed,
    Exited,
    Frozen,
    Input,
    Launched,
    Progressed,
    SnapshotRejected,
)
from idleq.scheduler.core.state import State
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.spool import whole_lines


@dataclass(frozen=True, slots=True)
class Report:
    """One report as an agent tells it: *body* is what the codec made of the input."""

    number: int
    kind: str
    body: msgspec.Raw


@dataclass(slots=True)
class Progress:
    """How far an agent's reports are taken.

    Attributes:
        taken: the highest number that is in the journal.
        claimed: the highest that is on its way there.
        offset: bytes of the reports' file that have been read.
    """

    taken: int = 0
    claimed: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """Reports that are on their way into the journal; all up to number *after* went before them."""

    allocation: AllocationId
    reports: tuple[Report, ...]
    after: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in one agent's file, and how far the file is read with it."""

    claim: Claim
    end: int

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the agent says."""
        return inputs_of(self.claim.allocation, self.claim.reports)


@dataclass(slots=True)
class Intake:
    """What every agent has told; used by the API's thread and the poller's."""

    paths: ServerPaths
    _progress: dict[AllocationId, Progress] = field(default_factory=dict)
    _arrived: frozenset[AllocationId] = frozenset()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def restart(self, arrived: Iterable[AllocationId]) -> None:
        """Nothing is known of what was taken before, but that the agents of *arrived* were heard."""
        with self._lock:
            # Whose reports are being told just now is still to be settled.
            self._progress = {allocation: Progress() for allocation in self._progress}
            self._arrived = frozenset(arrived)

    def claim(self, allocation: AllocationId, reports: Sequence[Report]) -> Claim:
        """Take up those of *reports* that nobody has taken up yet; end each claim by `settle`."""
        with self._lock:
            progress = self._progress.setdefault(allocation, Progress())
            after = progress.claimed
            fresh = tuple(report for report in reports if report.number > after)
            progress.claimed = max((after, *(report.number for report in fresh)))
            return Claim(allocation, fresh, after)

    def settle(self, claim: Claim, *, taken: bool) -> None:
        """What was claimed is in the journal, or is to be told again.

        It is told again too when what came before it is not in the journal: `taken` leaves nothing out.
        """
        with self._lock:
            progress = self._progress.get(claim.allocation)
            if progress is None:  # it was forgotten meanwhile
                return
            if taken and progress.taken >= claim.after:
                progress.taken = max((progress.taken, *(report.number for report in claim.reports)))
            elif claim.reports:
                progress.claimed = progress.taken

    def taken(self, allocation: AllocationId) -> int:
        """Return the highest number that is in the journal, 0 if that is not known."""
        with self._lock:
            return self._progress.get(allocation, Progress()).taken

    def forget(self, allocation: AllocationId) -> None:
        """The allocation is over, and nothing more is heard from it."""
        with self._lock:
            self._progress.pop(allocation, None)

    def read_file(self, allocation: AllocationId) -> Reading:
        """Take up what the reports' file holds and nobody has taken up yet; end each reading by `settle_reading`.

        After a restart that may be the whole file. An old AgentReady is then left out: it says "I host exactly these",
        which was so once. An agent that lives says it anew.
        """
        with self._lock:
            progress = self._progress.setdefault(allocation, Progress())
            offset, is_old = progress.offset, progress.claimed == 0 and allocation in self._arrived
        lines, end = whole_lines(self.paths.allocation(allocation).reports, offset)
        reports = [report for line in lines if (report := _report(line, allocation)) is not None]
        kept = [report for report in reports if not (is_old and report.kind == AgentReady.__name__)]
        return Reading(self.claim(allocation, kept), end)

    def try_to_read(self, allocation: AllocationId, log: FilteringBoundLogger) -> Reading | None:
        """Read the file; None, and a line in *log*, if it cannot be read now: it keeps its reports for the next time."""
        try:
            return self.read_file(allocation)
        except (OSError, BadMessage) as error:
            log.warning("intake.file_unreadable", allocation=allocation, reason=str(error))
            return None

    def settle_reading(self, reading: Reading, *, taken: bool) -> None:
        """What was read is in the journal, or is to be read again."""
        self.settle(reading.claim, taken=taken)
        if taken:
            with self._lock:
                progress = self._progress.get(reading.claim.allocation, Progress())
                progress.offset = max(progress.offset, reading.end)


def inputs_of(allocation: AllocationId, reports: Sequence[Report]) -> tuple[Input, ...]:
    """Return what *reports* say.

    Raises:
        BadMessage: one of them is no report, or is about another allocation.
    """
    inputs = tuple(codec.decode(report.kind, bytes(report.body), AgentInput) for report in reports)
    for said in inputs:
        if isinstance(said, AgentReady | AgentLeaving) and said.allocation != allocation:
            message = f"the agent of {allocation} cannot speak for {said.allocation}"
            raise BadMessage(message)
    return inputs


def is_foreign(said: Input, allocation: AllocationId, state: State) -> bool:
    """Whether the agent of *allocation* has no say in *said*: it is about a segment or a command of another's."""
    if isinstance(said, CommandFailed):
        return not _is_own(said.command, allocation, state)
    if not isinstance(said, Launched | Progressed | Frozen | Exited | SnapshotRejected):
        return False
    job = state.jobs.get(said.job)
    segment = job.segment if job is not None else None
    return segment is not None and segment.fence == said.fence and segment.allocation != allocation


def _is_own(command: CommandId, allocation: AllocationId, state: State) -> bool:
    """Whether *command* went to the agent of *allocation*: it is about a guest there. Requests go to the cluster."""
    hosting = state.allocations.get(allocation)
    segments = [state.jobs[job].segment for job in (hosting.guests if hosting is not None else ())]
    return any(segment is not None and command in (segment.command, segment.launch) for segment in segments)


def _report(line: bytes, allocation: AllocationId) -> Report | None:
    """Return the report; None for a line that a dying node left half written, or that speaks for another allocation."""
    try:
        report = codec.from_json(line, Report)
        inputs_of(allocation, (report,))
    except BadMessage:
        return None
    return report
