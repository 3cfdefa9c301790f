"""`idleq fetch`: a copy of what jobs left as their results."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.commands.jobs import JobArgument, named
from idleq.cli.errors import NoOutput
from idleq.cli.options import session_of
from idleq.cli.result import Result

if TYPE_CHECKING:
    from idleq.ids import JobId
    from idleq.scheduler.core.submission import ArrayRange
    from idleq.scheduler.paths import ServerPaths


def fetch(
    context: typer.Context,
    job: JobArgument,
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", show_default=False, help="A new folder [default: ./JOB].")
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(metavar="RANGE", help="Of an array only these: 0-99, 0-98:2 (step).")
    ] = None,
) -> Result:
    """Copy what a job left in its output folder; for an array, a folder for each task that has a result.

    Nothing that is there already is written over.
    """
    session, name, wanted = session_of(context), named(job), of_tasks(tasks)
    target = (folder or Path(name)).absolute()
    if os.path.lexists(target):
        raise typer.BadParameter(f"{target} is there already; name a new folder", param_hint="FOLDER")
    results = results_of(session.paths, name)
    if wanted is not None:
        results = {part: source for part, source in results.items() if part and int(part) in wanted}
    if not results:
        which = "" if wanted is None else f" of tasks {tasks}"
        raise NoOutput(f"{name} has no result{which}; type: idleq ps {name}")
    beside = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        for part, source in results.items():
            shutil.copytree(source, beside / part)
        beside.rename(target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return Result(value={"job": name, "folder": str(target)}, text=(f"{target}",), ids=(str(target),))


def of_tasks(tasks: str | None) -> "ArrayRange | None":
    """Return the tasks that are asked for, None for all; raise a usage error if they are no range."""
    from idleq.scheduler.ranges import parse_array

    try:
        return None if tasks is None else parse_array(tasks)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--tasks") from None


def results_of(paths: "ServerPaths", job: "JobId") -> dict[str, Path]:
    """Return where the results of *job* are, by where they go in a copy: "" for a single job, the number of each task of an array."""
    own = paths.job(job)
    if own.result.is_dir():
        return {"": own.result.resolve()}
    tasks = sorted(path for path in own.root.glob("[0-9]*") if (path / own.result.name).is_dir())
    return {path.name: (path / own.result.name).resolve() for path in tasks}
