"""What the demo has shown, from the utilisation report and the comparison: pure."""

from dataclasses import dataclass
from pathlib import Path

from idleq.cli.demo.comparing import Comparison
from idleq.cli.errors import DemoFailed
from idleq.cli.result import Result, Table
from idleq.cli.wording import clock_time, counted, size, span
from idleq.ids import JobId
from idleq.scheduler.report import Report

FEWEST_MOVES = 2
"""The demo is to show that a job can be moved more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLine:
    """One stretch of the job; times in milliseconds since the Unix epoch."""

    segment: int
    node: str
    start: int
    end: int
    ending: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Everything that the demo ends with.

    Attributes:
        job: the job's name.
        segments: its stretches, in order.
        moves: how often it went on, on another node than before.
        result: the comparison with the uninterrupted run.
        pictures: the loss curve and a page of generated images.
        report: the utilisation report.
        server_dir: the demo's server directory; None if it was removed.
        problem: what was not shown; empty if all was.
    """

    job: JobId
    segments: tuple[SegmentLine, ...]
    moves: int
    result: Comparison
    pictures: tuple[Path, ...]
    report: Path
    server_dir: Path | None
    problem: str


def segment_lines(report: Report, job: JobId) -> tuple[SegmentLine, ...]:
    """Return the job's stretches, in order."""
    found = [
        SegmentLine(
            segment=guest.fence,
            node=row.node,
            start=guest.since_ms,
            end=guest.until_ms,
            ending=guest.ending,
            reason=guest.reason,
        )
        for row in report.gantt.rows
        for guest in row.guests
        if guest.job == job
    ]
    return tuple(sorted(found, key=lambda line: line.segment))


def moves_of(report: Report, job: JobId) -> int:
    """Count how often the job went on, on another node than before."""
    return sum(move.job == job for move in report.gantt.moves)


def problem_of(result: Comparison, moves: int) -> str:
    """Return what was not shown, in words; nothing if all was."""
    if not result.identical:
        different = ", ".join(result.differences) or "there are no files at all"
        return f"the result is not that of the uninterrupted run: {different}"
    if moves < FEWEST_MOVES:
        return f"the job was moved {counted(moves, 'time')}, and {FEWEST_MOVES} were to be shown; try another --seed or more --steps"
    return ""


def result_of(ending: Ending) -> Result:
    """Return what is printed at the end."""
    rows = [
        (
            str(line.segment),
            line.node,
            clock_time(line.start),
            clock_time(line.end),
            span(line.end - line.start),
            why(line),
        )
        for line in ending.segments
    ]
    table = Table(
        columns=("SEGMENT", "NODE", "FROM", "UNTIL", "FOR", "WHY IT STOPPED"),
        rows=rows,
        right=frozenset({"SEGMENT", "FOR"}),
    )
    lines = [f"Moved {counted(ending.moves, 'time')} from node to node."]
    if ending.result.identical:
        lines.append(
            f"Result: identical, byte for byte, to the uninterrupted run's ({counted(ending.result.files, 'file')},"
            f" {size(ending.result.bytes)}, SHA-256 {ending.result.digest[:16]})."
        )
    else:
        lines.append("Result: NOT identical to the uninterrupted run's.")
    lines += [f"{name:<17}{path}" for name, path in zip(("Loss curve:", "Images:"), ending.pictures, strict=True)]
    lines.append(f"{'Report:':<17}{ending.report}")
    if ending.server_dir is not None:
        lines.append(f"{'Server directory:':<17} {ending.server_dir}")
    if ending.problem:
        lines.append(f"The demo did not show what it is to show: {ending.problem}.")
    return Result(
        value=_value(ending),
        text=(table, "\n".join(lines)),
        ids=(str(ending.report), *map(str, ending.pictures)),
        code=DemoFailed.exit_code if ending.problem else 0,
    )


def why(line: SegmentLine) -> str:
    """Return how the stretch ended, and why if that says more."""
    return line.ending if line.reason in {"", line.ending} else f"{line.ending}: {line.reason}"


def _value(ending: Ending) -> dict[str, object]:
    return {
        "job": ending.job,
        "segments": list(ending.segments),
        "moves": ending.moves,
        "result": ending.result,
        "pictures": [str(picture) for picture in ending.pictures],
        "report": str(ending.report),
        "server_dir": None if ending.server_dir is None else str(ending.server_dir),
        "problem": ending.problem,
    }
