"""`idleq freeze` and `idleq move`: what becomes of jobs that run already."""

from typing import Annotated

import typer

from idleq.cli.commands.jobs import JobArguments, all_named, each
from idleq.cli.options import session_of
from idleq.cli.result import Result


def freeze(
    context: typer.Context,
    jobs: JobArguments,
    reason: Annotated[str, typer.Option(help="Why, for those who look.")] = "frozen by its user",
) -> Result:
    """Freeze jobs that run, now; they wait for `idleq release`.

    Unlike with `idleq hold` no work is lost: a job that cannot be frozen is refused, and so is one that does not run. Of an array what
    runs is frozen, and the other tasks go on.
    """
    client = session_of(context).client()
    return each(all_named(jobs), lambda job: client.freeze(job, reason), "Freezing")


def move(
    context: typer.Context,
    jobs: JobArguments,
    to: Annotated[str | None, typer.Option(metavar="NODE", help="To this node [default: any other].")] = None,
) -> Result:
    """Freeze jobs that run, and thaw them on other nodes.

    A job that no other node could host is refused, and runs on. One that no other node can host any more once it is frozen goes on
    where it was.
    """
    client = session_of(context).client()
    return each(all_named(jobs), lambda job: client.move(job, to), "Moving")
