"""`idleq freeze`, `move` and `modify`: what becomes of jobs that run or wait already."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from idleq.cli.commands.jobs import JobArguments, all_named, each
from idleq.cli.options import session_of
from idleq.cli.result import Result

if TYPE_CHECKING:
    from idleq.cli.client import Client
    from idleq.ids import JobId
    from idleq.scheduler.core.wishes import Changes


def freeze(
    context: typer.Context,
    jobs: JobArguments,
    reason: Annotated[str, typer.Option(help="Why, for those who look.")] = "frozen by its user",
) -> Result:
    """Freeze jobs that run, now; they wait for `idleq release`.

    Unlike with `idleq hold` a job that cannot be frozen is refused, and so is one that does not run; one whose node fails to freeze
    it runs on. Of an array what runs is frozen, and the other tasks go on.
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


def modify(
    context: typer.Context,
    jobs: JobArguments,
    priority: Annotated[int | None, typer.Option(help="Higher goes first.")] = None,
    expected: Annotated[
        str | None, typer.Option(metavar="DURATION|none", help="How long it runs in all; none if you do not know.")
    ] = None,
    max_run: Annotated[
        str | None, typer.Option(metavar="DURATION|none", help="It fails once it has run this long; none for never.")
    ] = None,
    retries: Annotated[int | None, typer.Option(help="How often a failure of the workload is tried again.")] = None,
    cores: Annotated[int | None, typer.Option(help="Whole cores.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory, like 512M or 2G.")] = None,
) -> Result:
    """Change jobs that are not over; of an array all its tasks that are not.

    Maximum run time and retries hold at once, also for what runs. Priority and expected time count from when it next waits. What runs
    keeps its cores and its memory until it is frozen, or begins anew.
    """
    session, names = session_of(context), all_named(jobs)
    changes = changes_of(
        {
            "priority": priority,
            "expected": expected,
            "max_run": max_run,
            "retries": retries,
            "cores": cores,
            "memory": memory,
        }
    )
    client = session.client()

    def one(job: "JobId") -> None:
        client.modify(job, changes)
        if (changes.cores is not None or changes.memory is not None) and runs(client, job):
            session.say(
                f"What runs of {job} keeps its cores and memory for now: `idleq move {job}` gives it the new ones."
            )

    return each(names, one, "Modified")


def changes_of(said: "dict[str, object]") -> "Changes":
    """Return what the options *said*; raise a usage error if that cannot be, or is nothing."""
    from idleq.scheduler.core.wishes import Changes
    from idleq.scheduler.jobkeys import SPEC_KEYS

    values: dict[str, Any] = {}
    for key, value in said.items():
        option = f"--{key.replace('_', '-')}"
        try:
            is_none = key in {"expected", "max_run"} and value == "none"
            values[key] = None if value is None else 0 if is_none else SPEC_KEYS[key](value)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=option) from None
    if all(value is None for value in values.values()):
        raise typer.BadParameter("say what is to change, like --priority 5 (see --help)", param_hint="JOB")
    durations = {f"{key}_ms": values.pop(key) for key in ("expected", "max_run")}
    return Changes(**values, **durations)


def runs(client: "Client", job: "JobId") -> bool:
    """Whether anything of *job* holds resources now."""
    return client.job(job).entry.active > 0
