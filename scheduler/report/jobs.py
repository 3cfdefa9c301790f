"""What became of each job."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise

from idleq.scheduler.report.segment import OVERHEAD, Ending, Kind, Segment
from idleq.scheduler.report.timeline import JobLine


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job that has started at least once.

    Attributes:
        job: its id.
        name: what it runs.
        user: whose it is.
        state: waiting, running, frozen, held, done, failed or cancelled.
        submitted_at_ms: when it came in.
        ended_at_ms: when it was over; None if it is not.
        segments: how often it was started or thawed.
        freezes: how often it was frozen.
        moves: how often it went on, on another node than before.
        nodes: where it was, in order; a node stands twice if it came back.
        useful_core_s: work that survived.
        unsaved_core_s: work of a segment that still runs, since its last save.
        overhead_core_s: what else its cores did.
        running_ms: how long it held cores.
        waiting_ms: how long it held none between submission and its end (or the report's).
        turnaround_ms: from submission to its end; None if it is not over.
        stretch: turnaround / time of useful work: 1 would be a machine of its own; None unless it is done.
    """

    job: str
    name: str
    user: str
    state: str
    submitted_at_ms: int
    ended_at_ms: int | None
    segments: int
    freezes: int
    moves: int
    nodes: tuple[str, ...]
    useful_core_s: float
    unsaved_core_s: float
    overhead_core_s: float
    running_ms: int
    waiting_ms: int
    turnaround_ms: int | None
    stretch: float | None


def job_row(line: JobLine, until: int) -> JobRow:
    """Sum up one job."""
    spent = dict.fromkeys(Kind, 0)
    useful_ms = 0
    for segment in line.segments:
        for kind, since, end in segment.phases():
            spent[kind] += (end - since) * segment.cores
            useful_ms += end - since if kind is Kind.USEFUL else 0
    over = until if line.ended_at is None else line.ended_at
    running_ms = sum(segment.until - segment.since for segment in line.segments)
    turnaround_ms = None if line.ended_at is None else line.ended_at - line.submitted_at
    is_done = line.state == "done" and turnaround_ms is not None and useful_ms > 0
    return JobRow(
        job=line.job,
        name=line.name,
        user=line.user,
        state=line.state,
        submitted_at_ms=line.submitted_at,
        ended_at_ms=line.ended_at,
        segments=len(line.segments),
        freezes=sum(segment.ending is Ending.FROZEN for segment in line.segments),
        moves=moves(line.segments),
        nodes=tuple(node for node, _ in groupby(segment.node for segment in line.segments)),
        useful_core_s=spent[Kind.USEFUL] / 1000,
        unsaved_core_s=spent[Kind.UNSAVED] / 1000,
        overhead_core_s=sum(spent[kind] for kind in OVERHEAD) / 1000,
        running_ms=running_ms,
        waiting_ms=max(0, over - line.submitted_at - running_ms),
        turnaround_ms=turnaround_ms,
        stretch=turnaround_ms / useful_ms if is_done and turnaround_ms is not None else None,
    )


def moves(segments: Iterable[Segment]) -> int:
    """Count the thaws on another node than the one before."""
    return sum(one.node != other.node and other.is_thaw for one, other in pairwise(segments))
