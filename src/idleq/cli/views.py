"""How rows of the daemon read to people: pure functions from rows to tables and paragraphs."""

import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from idleq.cli.result import Table
from idleq.cli.wording import clock_time, counted, resources, share, size, span
from idleq.scheduler.core.rows import JobDetail, JobRow, NodeRow, Summary
from idleq.scheduler.core.submission import PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from idleq.scheduler.core.explain import Explanation

OVER = frozenset({"done", "failed", "cancelled"})
"""States that nothing follows."""

LONGEST_REASON = 60
"""What does not fit a table's line is in `idleq explain`."""


ENDED = {"failed": "has failed", "cancelled": "was cancelled"}
"""How a sentence says that a job is over; of all other states it says that the job is so."""


def state_word(row: JobRow) -> str:
    """Return the state as people say it: what is queued with a snapshot is frozen."""
    return "frozen" if row.state == "queued" and row.snapshots else row.state


def progress_word(row: JobRow) -> str:
    """Return how far the job says it is."""
    if row.total:
        return share(_steps(row, row.total), row.total)
    return str(row.step) if row.step else "-"


def _steps(row: JobRow, total: int) -> int:
    """How many steps are made: of a job that is done all, though it may not have said so of the last."""
    return total if row.state == "done" else row.step


def jobs_table(rows: Iterable[JobRow], now: int) -> Table:
    """Return one line per job, or per rest of an array."""
    return Table(
        columns=("JOB", "NAME", "STATE", "PRIO", "CORES", "MEMORY", "NODE", "PROGRESS", "AGE", "WHY"),
        rows=[
            (
                row.id,
                row.name,
                state_word(row),
                str(row.priority),
                str(row.resources.cores),
                size(row.resources.memory),
                row.node or "-",
                progress_word(row),
                _age(row, now) or "-",
                _short(_why(row, now)),
            )
            for row in rows
        ],
        right=frozenset({"PRIO", "CORES", "MEMORY", "PROGRESS", "AGE"}),
        expendable=("PRIO", "MEMORY", "CORES", "AGE", "NODE", "PROGRESS"),
        elastic="WHY",
    )


def _age(row: JobRow, now: int) -> str:
    """How long it has been waiting and running; what is over grows no older."""
    return "" if row.state in OVER else span(max(0, now - row.queued_since))


def _why(row: JobRow, now: int) -> str:
    if row.reason:
        return row.reason
    if row.freeze_at is not None and row.state == "running":
        return f"to be frozen in {span(max(0, row.freeze_at - now))}"
    return counted(row.tasks, "task") if row.tasks > 1 else ""


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 3] + "..."


def nodes_table(rows: Iterable[NodeRow], now: int) -> Table:
    """Return one line per node, with its gap."""
    return Table(
        columns=("NODE", "STATE", "CORES", "FREE", "OURS", "MAIN JOB", "GAP SINCE", "GAP ENDS", "GUESTS", "WHY"),
        rows=[
            (
                row.name,
                node_state(row),
                str(row.capacity.cores),
                str(max(0, row.free.cores - row.used.cores)),
                str(row.used.cores),
                row.main_job or "-",
                "-" if row.gap_since is None else span(max(0, now - row.gap_since)),
                gap_end(row, now),
                " ".join(row.guests) or "-",
                row.gap_source or "-",
            )
            for row in rows
        ],
        right=frozenset({"CORES", "FREE", "OURS", "GAP SINCE"}),
        expendable=("WHY", "GAP SINCE", "CORES", "OURS", "MAIN JOB", "FREE"),
        elastic="GUESTS",
    )


def node_state(row: NodeRow) -> str:
    """Return what is on a node, in one word."""
    if not row.is_up:
        return "down"
    if row.guests:
        return "guests"
    return "idle" if row.gap_since is not None else "busy"


def gap_end(row: NodeRow, now: int) -> str:
    """Return when the gap ends, or when the next one opens, as far as that is known."""
    if row.gap_since is None:
        return "-" if row.busy_until is None else f"opens in {span(max(0, row.busy_until - now))}"
    return "unknown" if row.gap_until is None else f"in {span(max(0, row.gap_until - now))}"


def summary_lines(glance: Summary, server_dir: str, pid: int) -> str:
    """Return one screen about everything."""
    of_gaps = share(glance.used.cores, glance.free.cores)
    lines = [
        f"Daemon       running (process {pid}), {server_dir}",
        f"Scheduling   {_scheduling(glance)}",
        f"Jobs         {_counts(glance.jobs) or 'none'}",
        f"Nodes        {glance.nodes_up} of {glance.nodes} up: {resources(glance.capacity)}",
        f"Allocations  {_counts(glance.allocations) or 'none'}",
        f"Main jobs    {share(glance.capacity.cores - glance.free.cores, glance.capacity.cores)} of the cores",
        f"Guests       {share(glance.used.cores, glance.capacity.cores)} of the cores, {of_gaps} of what main jobs leave",
    ]
    return "\n".join(lines)


def _scheduling(glance: Summary) -> str:
    if glance.is_paused:
        return f"paused: {glance.pause_reason or 'no reason was given'} (`idleq resume` goes on)"
    if glance.slowed_until:
        return f"slowed for {span(glance.slowed_until - glance.now)}: {glance.slowed_reason}"
    return "active"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def explanation_blocks(why: "Explanation", *, said_errors: bool = False) -> tuple[str | Table, ...]:
    """Return the reasons, the place in the queue, and what each node holds for the job."""
    head = f"Job {why.job} {ENDED.get(why.state, f'is {why.state}')}."
    paragraphs = [head, *why.sentences]
    if why.state == "failed" and said_errors:
        paragraphs.append(f"`idleq logs --stderr {why.job}` shows what it said.")
    if why.ahead is not None:
        ahead = "Nothing is" if why.ahead == 0 else f"{counted(why.ahead, 'job')} {'is' if why.ahead == 1 else 'are'}"
        paragraphs.append(f"{ahead} ahead of it in the queue; its priority counts as {why.level} by now.")
    if not why.nodes:
        return ("\n".join(paragraphs),)
    rows = [(node.node, "possible" if node.is_possible else "no", node.because) for node in why.nodes]
    return ("\n".join(paragraphs), Table(columns=("NODE", "PLACE", "BECAUSE"), rows=rows))


def job_lines(detail: JobDetail, result: "Path", now: int) -> str:
    """Return all about one job, a line per fact; *result* is where its output is once it is done."""
    row = detail.row
    facts = {
        "Job": f"{row.id} ({row.name})" + (f" of {row.user}" if row.user else ""),
        "State": state_word(row) + (f": {row.reason}" if row.reason else ""),
        "Node": "" if row.node is None else f"{row.node}, segment {row.fence}, in allocation {row.allocation}",
        "Progress": f"{_steps(row, row.total)} of {row.total}" if row.total else (str(row.step) if row.step else ""),
        "Runs": shlex.join("python" if word == PYTHON else word for word in detail.spec.argv),
        "Inputs": ""
        if detail.spec.inputs is None
        else f"{', '.join(detail.spec.inputs.sources)} ({size(detail.spec.inputs.bytes)})",
        "Outputs": ", ".join(detail.spec.outputs),
        "Needs": resources(row.resources),
        "Priority": str(row.priority),
        "Age": _age(row, now),
        "After": ", ".join(map(str, detail.after)),
        "Labels": " ".join(f"{key}={value}" for key, value in row.labels),
        "Snapshots": _snapshots(detail, now),
        "Segments": str(row.fence) if row.fence and row.state in OVER else "",
        "Output": str(result) if row.state == "done" else "",
        "Failures": f"{row.failures} of {detail.spec.retries} retries used" if row.failures else "",
    }
    return "\n".join(f"{name:<10} {text}" for name, text in facts.items() if text)


def _snapshots(detail: JobDetail, now: int) -> str:
    if not detail.snapshots:
        return ""
    newest = detail.snapshots[-1]
    age = span(max(0, now - newest.taken_at))
    return f"{len(detail.snapshots)}; the newest is {age} old, {size(newest.bytes)}, with {span(newest.run_ms)} of work (at {clock_time(newest.taken_at)})"
