"""`idleq wait`: until jobs are over, with the exit code of what they did."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.commands.jobs import JobArguments, all_named
from idleq.cli.errors import WaitTimedOut
from idleq.cli.options import session_of
from idleq.cli.result import Result
from idleq.ids import JobId

if TYPE_CHECKING:
    from idleq.cli.client import Client, Outlook, Waited
    from idleq.cli.session import Session

LOOK_MS = 1_000
"""How often a bar moves."""

PATIENCE_MS = 30_000
"""The longest single question to the daemon; it answers earlier when something ends."""

SIGNALLED = 128


def wait(
    context: typer.Context,
    jobs: JobArguments,
    timeout: Annotated[str | None, typer.Option(metavar="DURATION", help="Give up after this, like 10m.")] = None,
) -> Result:
    """Wait until jobs are over.

    The exit code is 0 if all are done; otherwise that of the first one that failed (128 and the signal's number if a
    signal ended it), or 1 if one was cancelled.
    """
    session, names = session_of(context), all_named(jobs)
    limit_ms = limit(timeout)
    client = session.client()
    waited = until_over(session, client, names, limit_ms)
    return Result(
        value={"is_over": waited.is_over, "jobs": list(waited.jobs)},
        text=("\n".join(_line(one) for one in waited.jobs),),
        ids=names,
        code=next((code for one in waited.jobs if (code := code_of(client, one))), 0),
    )


def limit(timeout: str | None) -> int | None:
    """Return *timeout* in milliseconds; raise a usage error if it is no duration."""
    from idleq.scheduler.units import parse_duration

    try:
        return None if timeout is None else parse_duration(timeout)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--timeout") from None


def until_over(session: "Session", client: "Client", names: Sequence[JobId], limit_ms: int | None) -> "Waited":
    """Ask until all are over; raise WaitTimedOut once *limit_ms* have passed."""
    end = None if limit_ms is None else session.now() + limit_ms
    question_ms = LOOK_MS if session.is_talking else PATIENCE_MS
    with bar(session) as show:
        while True:
            left = question_ms if end is None else max(0, min(question_ms, end - session.now()))
            waited = client.wait(names, timeout_ms=left)
            show(*_fraction(client, waited))
            if waited.is_over:
                return waited
            if end is not None and session.now() >= end:
                open_ones = ", ".join(one.target for one in waited.jobs if not one.is_over)
                raise WaitTimedOut(f"after {(limit_ms or 0) / 1000:.0f} s these were not over: {open_ones}; they go on")


@contextmanager
def bar(session: "Session") -> Iterator[Callable[[float, float], None]]:
    """A progress bar for a person, nothing for anybody else; call it with what is done and with all there is."""
    if not session.is_talking:
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(file=session.stderr, no_color=bool(session.environment.get("NO_COLOR")))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("waiting", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)


def _fraction(client: "Client", waited: "Waited") -> tuple[float, float]:
    """One job counts in its own steps, several in jobs."""
    total = sum(one.jobs for one in waited.jobs)
    if total == 1 and not waited.is_over:
        view = client.job(waited.jobs[0].target)
        return (view.job.row.step, view.job.row.total or 0) if view.job else (0, 0)
    return sum(one.done + one.failed + one.cancelled for one in waited.jobs), total


def _line(one: "Outlook") -> str:
    if one.jobs == 1:
        ended = "done" if one.done else "failed" if one.failed else "cancelled"
        return f"{one.target} {ended}"
    return f"{one.target} is over: {one.done} of {one.jobs} done, {one.failed} failed, {one.cancelled} cancelled"


def code_of(client: "Client", one: "Outlook") -> int:
    """Return the exit code that stands for how *one* ended."""
    if not one.failed:
        return 1 if one.cancelled else 0
    view = client.job(one.target)
    rows = [view.job.row] if view.job else view.jobs
    codes = [row.code for row in rows if row.state == "failed" and row.code]
    code = codes[0] if codes else 1
    return code if code > 0 else SIGNALLED - code
