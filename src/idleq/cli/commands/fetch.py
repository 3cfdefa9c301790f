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
    from idleq.scheduler.paths import ServerPaths


def fetch(
    context: typer.Context,
    job: JobArgument,
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", show_default=False, help="A new folder [default: ./JOB].")
    ] = None,
) -> Result:
    """Copy what a job left in its output folder; for an array, a folder for each task that has a result.

    Nothing that is there already is written over.
    """
    session, name = session_of(context), named(job)
    target = (folder or Path(name)).absolute()
    if os.path.lexists(target):
        raise typer.BadParameter(f"{target} is there already; name a new folder", param_hint="FOLDER")
    results = results_of(session.paths, name)
    if not results:
        raise NoOutput(f"{name} has no result; type: idleq ps {name}")
    beside = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        for part, source in results.items():
            shutil.copytree(source, beside / part)
        beside.rename(target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return Result(value={"job": name, "folder": str(target)}, text=(f"{target}",), ids=(str(target),))


def results_of(paths: "ServerPaths", job: "JobId") -> dict[str, Path]:
    """Return where the results of *job* are, by where they go in a copy: "" for a single job, the number of each task of an array."""
    own = paths.job(job)
    if own.result.is_dir():
        return {"": own.result.resolve()}
    tasks = sorted(path for path in own.root.glob("[0-9]*") if (path / own.result.name).is_dir())
    return {path.name: (path / own.result.name).resolve() for path in tasks}
