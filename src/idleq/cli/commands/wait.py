"""`idleq wait`: until jobs are over, with the exit code of what they did."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.commands.jobs import JobArguments, all_named
from idleq.cli.commands.logs import said_errors
from idleq.cli.errors import WaitTimedOut
from idleq.cli.options import session_of
from idleq.cli.result import Result
from idleq.cli.staging import remove_old_copies
from idleq.ids import JobId

if TYPE_CHECKING:
    from idleq.cli.client import Client, Outlook, Waited
    from idleq.cli.session import Session
    from idleq.scheduler.core.rows import JobRow
    from idleq.scheduler.paths import ServerPaths

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
    if session.paths.door.exists():
        keep_results(session, client, waited)
        remove_old_copies(session, client)
    ends = [how_it_ended(client, one) for one in waited.jobs]
    return Result(
        value={"is_over": waited.is_over, "jobs": [end.value(session.paths) for end in ends]},
        text=("\n".join(end.line(session.paths) for end in ends),),
        ids=names,
        code=next((end.code for end in ends if end.code), 0),
    )


def keep_results(session: "Session", client: "Client", waited: "Waited") -> None:
    """Publish what is done in the folder that a user has at a site: the daemon of all users does not touch it."""
    from idleq import bootstrap

    for one in waited.jobs:
        view = client.job(one.target)
        rows = (view.job.row,) if view.job else view.jobs
        bootstrap.publish(session.paths, [(JobId(row.id), row.fence) for row in rows if row.state == "done"])


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How one target ended.

    Attributes:
        outlook: in numbers.
        is_array: whether its results are its tasks'.
        bad: the rows of what of it failed or was cancelled; the failures first.
    """

    outlook: "Outlook"
    is_array: bool
    bad: "tuple[JobRow, ...]" = ()

    @property
    def code(self) -> int:
        """The exit code that stands for it."""
        if not self.outlook.failed:
            return 1 if self.outlook.cancelled else 0
        code = next((row.code for row in self.bad if row.code), 1)
        return code if code > 0 else SIGNALLED - code

    def value(self, paths: "ServerPaths") -> dict[str, object]:
        """Return how it ended for scripts: *results* is where they are, of an array's tasks one each."""
        from msgspec import structs

        one, job = self.outlook, paths.job(self.outlook.target)
        results = str(job.root / "*" / job.result.name if self.is_array else job.result)
        bad = [{"id": row.id, "state": row.state, "reason": row.reason, "code": row.code} for row in self.bad]
        return structs.asdict(one) | {"results": results if one.done else None, "bad": bad}

    def line(self, paths: "ServerPaths") -> str:
        """Say how it ended, where its result is, and why the first of it failed that did."""
        one, job = self.outlook, paths.job(self.outlook.target)
        if not self.is_array:
            ended = "done" if one.done else "failed" if one.failed else "cancelled"
            detail = f"its result is in {job.result}" if one.done else next((_why(row, paths) for row in self.bad), "")
            return f"{one.target} {ended}" + (f": {detail}" if detail else "")
        line = f"{one.target} is over: {one.done} of {one.jobs} done, {one.failed} failed, {one.cancelled} cancelled"
        results = f"\nIts results are in {job.root}/*/{job.result.name}" if one.done else ""
        failed = next((f"\n{row.id} failed: {_why(row, paths)}" for row in self.bad if row.state == "failed"), "")
        return line + failed + results


def _why(row: "JobRow", paths: "ServerPaths") -> str:
    said = row.state == "failed" and said_errors(paths, JobId(row.id))
    return f"{row.reason} (`idleq logs --stderr {row.id}` shows what it said)" if said else row.reason


def how_it_ended(client: "Client", one: "Outlook") -> End:
    """Ask for the rows where the numbers do not say all."""
    is_good = not one.failed and not one.cancelled
    if one.jobs > 1 and is_good:
        return End(outlook=one, is_array=True)
    view = client.job(one.target)
    if is_good:
        return End(outlook=one, is_array=view.job is None)
    rows = (view.job.row,) if view.job else view.jobs
    bad = [row for row in rows if row.state in {"failed", "cancelled"}]
    return End(outlook=one, is_array=view.job is None, bad=tuple(sorted(bad, key=lambda row: row.state != "failed")))


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
