"""`idleq ps`, `cancel`, `hold`, `release` and `explain`: jobs, one by one or all together."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.options import session_of
from idleq.cli.result import Result
from idleq.errors import IdleqError
from idleq.ids import JOB_NAME, JobId

if TYPE_CHECKING:
    from idleq.cli.client import Client, JobView

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="A job: 17, or 17_3 for task 3 of array 17.")]
JobArguments = Annotated[list[str], typer.Argument(metavar="JOB", help="Jobs: 17, or 17_3 for task 3 of array 17.")]


def named(text: str) -> JobId:
    """Return *text* as a job's name; raise a usage error if it is none."""
    if not JOB_NAME.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no job's name; names are like 17, or 17_3 for a task", param_hint="JOB")
    return JobId(text)


def ps(
    context: typer.Context,
    job: Annotated[str | None, typer.Argument(metavar="JOB", show_default=False, help="One job, or one array.")] = None,
    with_final: Annotated[bool, typer.Option("--all", "-a", help="Those that are over as well.")] = False,
) -> Result:
    """List the jobs; with JOB tell all about one."""
    from idleq.cli.views import job_lines, jobs_table

    session, name = session_of(context), None if job is None else named(job)
    if name is None:
        answer = session.client().jobs(with_final=with_final)
        cut = ("There are more; `idleq ps JOB` shows one.",) if answer.is_cut else ()
        text = (
            (jobs_table(answer.jobs, session.now()), *cut)
            if answer.jobs
            else ("No jobs." if with_final else "No jobs wait or run.",)
        )
        return Result(value=answer, text=text, ids=tuple(row.id for row in answer.jobs))
    view = session.client().job(name)
    if view.job is not None:
        lines = job_lines(view.job, session.paths.job(JobId(view.job.row.id)).result, session.now())
        return Result(value=view, text=(lines,), ids=(view.job.row.id,))
    return Result(value=view, text=(jobs_table(view.jobs, session.now()),), ids=tuple(row.id for row in view.jobs))


def cancel(context: typer.Context, jobs: JobArguments) -> Result:
    """End jobs for good; what they have not saved is lost."""
    names = all_named(jobs)
    return each(names, session_of(context).client().cancel, "Cancelled")


def hold(
    context: typer.Context,
    jobs: JobArguments,
    reason: Annotated[str, typer.Option(help="Why, for those who look.")] = "held by its user",
) -> Result:
    """Keep jobs from starting until they are released; those that run are frozen, those that cannot be begin anew (`idleq freeze` refuses these)."""
    session = session_of(context)
    names, client = all_named(jobs), session.client()

    def one(job: JobId) -> None:
        is_lost = loses_its_work(client, job)
        client.hold(job, reason)
        if is_lost:
            session.say(f"{job} cannot be frozen: what it has done is lost, and once released it begins anew.")

    return each(names, one, "Held")


def loses_its_work(client: "Client", job: JobId) -> bool:
    """Whether the job runs, and nothing of what it does can be kept."""
    from idleq.scheduler.core.submission import FreezeMethod

    seen = client.job(job).job
    return seen is not None and seen.row.running_since is not None and seen.spec.freeze is FreezeMethod.NONE


def release(context: typer.Context, jobs: JobArguments) -> Result:
    """Let held jobs start again."""
    names = all_named(jobs)
    return each(names, session_of(context).client().release, "Released")


def all_named(jobs: list[str]) -> tuple[JobId, ...]:
    """Return the names of *jobs*, each once; a slip of the keyboard in one of them changes nothing."""
    return tuple(dict.fromkeys(named(job) for job in jobs))


def each(names: tuple[JobId, ...], act: Callable[[JobId], object], done: str) -> Result:
    """Do *act* to every one of *names*; where some are refused, the others are done all the same, and all of it is told."""
    from idleq.scheduler.errors import Refused, UnknownTarget

    acted: list[JobId] = []
    refused: dict[JobId, IdleqError] = {}
    for name in names:
        try:
            act(name)
        except (Refused, UnknownTarget) as error:
            if len(names) == 1:
                raise
            refused[name] = error
        else:
            acted.append(name)
    value: dict[str, object] = {done.lower(): acted}
    if refused:
        value["refused"] = {name: str(error) for name, error in refused.items()}
    lines = [f"{done} {', '.join(acted)}"] if acted else []
    lines += [f"Not {done.lower()}: {error}" for error in refused.values()]
    code = next((error.exit_code for error in refused.values()), 0)
    return Result(value=value, text=("\n".join(lines),), ids=tuple(acted), code=code)


def explain(context: typer.Context, job: JobArgument) -> Result:
    """Say why a job is where it is, and what each node holds for it.

    Of an array it explains the first task that is not over.
    """
    from idleq.cli.commands.logs import said_errors
    from idleq.cli.views import explanation_blocks
    from idleq.scheduler.errors import UnknownTarget

    session = session_of(context)
    name, client = named(job), session.client()
    head: tuple[str, ...] = ()
    try:
        why = client.explain(name)
    except UnknownTarget:
        view = client.job(name)
        if view.job is not None or not view.jobs:
            raise
        entry = view.entry
        tally = f"{entry.done} of {entry.tasks} tasks done, {entry.failed} failed, {entry.cancelled} cancelled"
        why = client.explain(first_open(view))
        head = (f"Array {name}: {tally}. Here is its task {why.job}.",)
    blocks = explanation_blocks(why, said_errors=said_errors(session.paths, why.job))
    return Result(value=why, text=(*head, *blocks), ids=(why.job,))


def first_open(view: "JobView") -> JobId:
    """Return the first task of an array that is not over, the first of all if all are over."""
    from idleq.cli.views import OVER

    row = next((row for row in view.jobs if row.state not in OVER), view.jobs[0])
    return JobId(row.id.replace("[", "").partition("-")[0])  # the rest of an array is named 19_[3-99]
