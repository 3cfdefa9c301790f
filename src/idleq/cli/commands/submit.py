"""`idleq submit`: a named workload, a command, or a job file."""

import shlex
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idleq.cli.containeroptions import Image, Mounts, Runtime, Workdir, from_here
from idleq.cli.options import AnyContext, IdleqCommand, session_of
from idleq.cli.result import Result, Table
from idleq.cli.staging import InputPaths, OutputPatterns
from idleq.errors import IdleqError

if TYPE_CHECKING:
    from idleq.cli.client import Client, Submitted
    from idleq.cli.session import Session
    from idleq.scheduler.core.submission import Submission
    from idleq.scheduler.jobfile import NamedJob

ON_THE_LINE = "the job"
"""How errors call what the options describe."""


TIMES = frozenset({"--time", "-t", "--walltime", "--time-limit", "--duration"})
"""What options of how long a job runs are called elsewhere."""


class SubmitCommand(IdleqCommand):
    """Knows a command (after `--`) from a workload's name; what follows either is theirs."""

    def parse_args(self, ctx: AnyContext, args: list[str]) -> list[str]:
        given = list(args)
        try:
            rest: list[str] = super().parse_args(ctx, args)
        except typer.TyperException as error:
            if getattr(error, "option_name", "") in TIMES:
                # Typer would name what is spelt alike, --runtime say; the class of the error is private to it.
                vars(error)["possibilities"] = ["--expected", "--max-run"]
            raise
        words = ctx.params.get("words") or []
        ctx.meta["idleq.is_command"] = len(given) > len(words) and given[-len(words) - 1] == "--"
        ctx.meta["idleq.misplaced"] = self._misplaced(ctx, words)
        return rest

    def _misplaced(self, ctx: AnyContext, words: list[str]) -> list[str]:
        """Return the options of ours that stand behind the workload's name, and so go to it; workloads have a --help and a --name too."""
        ours = {text for one in self.get_params(ctx) for text in one.opts if text.startswith("--")} - {
            "--help",
            "--name",
        }
        return [] if ctx.meta["idleq.is_command"] else [word for word in words[1:] if word.partition("=")[0] in ours]


def _workloads(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return what completes the first word: what follows it is the workload's own."""
    from idleq.cli.catalog import load_catalog

    found = load_catalog().values() if not context.params.get("words") else ()
    return [(one.name, one.description) for one in found if one.name.startswith(incomplete)]


Pairs = list[str] | None
Tasks = Annotated[str | None, typer.Option(metavar="RANGE", help="Tasks: 0-99, 0-98:2 (step), 0-99%10 (at once).")]


def submit(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORKLOAD [ARGS]... | -- COMMAND [ARGS]...", show_default=False, autocompletion=_workloads
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="JOB.TOML", help="Submit a job file (- is stdin).")
    ] = None,
    list_workloads: Annotated[bool, typer.Option("--list", help="List the workloads, and submit nothing.")] = False,
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    cores: Annotated[int | None, typer.Option(help="Whole cores.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory, like 512M or 2G.")] = None,
    gpus: Annotated[int | None, typer.Option(help="Whole GPUs.")] = None,
    expected: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long it runs in all, if you know.")
    ] = None,
    max_run: Annotated[str | None, typer.Option(metavar="DURATION", help="It fails once it has run this long.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher goes first.")] = None,
    label: Annotated[Pairs, typer.Option(metavar="KEY=VALUE", help="A label (again for more).")] = None,
    env: Annotated[Pairs, typer.Option(metavar="KEY=VALUE", help="An environment variable (again for more).")] = None,
    retries: Annotated[int | None, typer.Option(help="How often a failure of the workload is tried again.")] = None,
    after: Annotated[Pairs, typer.Option(metavar="JOB", help="Start when this job is done (again for more).")] = None,
    array: Tasks = None,
    hold: Annotated[bool, typer.Option("--hold", help="Wait for `idleq release`.")] = False,
    freeze: Annotated[str | None, typer.Option(metavar="auto|criu|app|none", help="How it is frozen.")] = None,
    image: Image = None,
    runtime: Runtime = None,
    mount: Mounts = None,
    workdir: Workdir = None,
    inputs: InputPaths = None,
    outputs: OutputPatterns = None,
    start_daemon: Annotated[bool, typer.Option("--start-daemon", help="Start the daemon if none answers.")] = False,
) -> Result:
    """Submit a job: a named workload, a command after --, or a job file.

    The options of idleq come before the workload's name; everything after it goes to the workload:
    `idleq submit --priority 5 train-cgan --quick`.
    """
    from idleq.cli.catalog import load_catalog

    session = session_of(context)
    catalog = load_catalog(session.paths.config)
    if list_workloads:
        return listed(catalog)
    options = {
        "name": name, "cores": cores, "memory": memory, "gpus": gpus, "expected": expected, "max_run": max_run,
        "priority": priority, "labels": pairs(label, "--label"), "environment": pairs(env, "--env"), "retries": retries,
        "after": after or None, "array": array, "hold": hold or None, "freeze": freeze, "image": image, "runtime": runtime,
        "mounts": mount or None, "workdir": from_here(workdir, image), "inputs": inputs or None, "outputs": outputs or None,
    }  # fmt: skip
    table = {key: value for key, value in options.items() if value is not None}
    if file is not None:
        submissions = from_file(file, words or (), table, catalog)
    else:
        point_out(session, context.meta["idleq.misplaced"])
        submissions = (from_line(words or [], table, catalog, is_command=context.meta["idleq.is_command"]),)
    return sent(session, submissions, may_start=start_daemon)


def point_out(session: "Session", misplaced: list[str]) -> None:
    """Say that these options are not read here."""
    for option in misplaced:
        session.say(f"{option} goes to the workload, as it follows its name; idleq's own options come before that.")


def listed(catalog: "dict[str, NamedJob]") -> Result:
    """Return the workloads there are."""
    from idleq.scheduler.units import format_size

    rows = [
        (one.name, str(one.spec.resources.cores), format_size(one.spec.resources.memory), one.description)
        for one in catalog.values()
    ]
    columns = ("WORKLOAD", "CORES", "MEMORY", "WHAT IT DOES")
    value = [
        {
            "name": one.name,
            "description": one.description,
            "cores": one.spec.resources.cores,
            "memory": one.spec.resources.memory,
        }
        for one in catalog.values()
    ]
    return Result(
        value=value, text=(Table(columns=columns, rows=rows, right=frozenset({"CORES", "MEMORY"})),), ids=tuple(catalog)
    )


def pairs(given: list[str] | None, option: str) -> dict[str, str] | None:
    """Return KEY=VALUE texts as a table; raise a usage error for others."""
    if not given:
        return None
    for one in given:
        if "=" not in one or one.startswith("="):
            raise typer.BadParameter(f"{one!r} is not KEY=VALUE", param_hint=option)
    return dict(one.split("=", 1) for one in given)


def from_file(
    file: Path, words: "list[str] | tuple[()]", options: dict[str, Any], catalog: "dict[str, NamedJob]"
) -> "tuple[Submission, ...]":
    """Return what the job file describes, its programs found from its own folder; nothing beside it describes the jobs."""
    from idleq.cli.programs import located
    from idleq.scheduler.errors import BadJobFile
    from idleq.scheduler.jobfile import read_job_file

    if words or options:
        raise typer.BadParameter(
            "a job file says everything itself; leave out the workload and its options", param_hint="--file"
        )
    is_stdin = str(file) == "-"
    try:
        text = typer.get_text_stream("stdin").read() if is_stdin else file.read_text(encoding="utf-8")
        folder = Path.cwd() if is_stdin else file.absolute().parent
        return tuple(located(one, folder, f"job {one.spec.name!r}") for one in read_job_file(text, catalog))
    except BadJobFile as error:
        raise BadJobFile(f"{file}: {error}") from error
    except OSError as error:
        raise BadJobFile(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadJobFile(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from error


def from_line(
    words: list[str], options: dict[str, Any], catalog: "dict[str, NamedJob]", *, is_command: bool
) -> "Submission":
    """Return what the command line describes, its program found from here."""
    from idleq.cli.programs import located
    from idleq.scheduler.errors import BadJobFile
    from idleq.scheduler.jobfile import submission_of
    from idleq.scheduler.jobkeys import no_such

    if not words:
        raise typer.BadParameter(
            "say what to run: a workload (`idleq submit --list`), -- COMMAND, or --file JOB.TOML", param_hint="WORKLOAD"
        )
    what: dict[str, Any] = {"command": words} if is_command else {"workload": words[0], "args": words[1:]}
    if not is_command and words[0] not in catalog and (program := program_of(words)):
        problem = no_such("workload", words[0], catalog)
        raise BadJobFile(f"{ON_THE_LINE}: {problem}; for a program type: idleq submit -- {shlex.join(program)}")
    submission, names = submission_of(what | options, catalog, ON_THE_LINE)
    if names:
        raise BadJobFile(f"{ON_THE_LINE}: after: {names[0]!r} is no job's number")
    return located(submission, Path.cwd(), ON_THE_LINE)


def program_of(words: list[str]) -> list[str]:
    """Return *words* as the command that was meant, if their first is the name of a program or a path, or a whole line of a shell."""
    try:
        first, *rest = shlex.split(words[0])
    except ValueError:
        return []
    return [first, *rest, *words[1:]] if "/" in first or shutil.which(first) else []


def sent(session: "Session", submissions: "tuple[Submission, ...]", *, may_start: bool) -> Result:
    """Give *submissions* to the daemon, all or none, and return their numbers."""
    from idleq.cli.staging import Copies, remove_old_copies
    from idleq.cli.starting import ask_or_start

    request, user, copies = uuid.uuid4().hex, session.environment.get("USER", ""), Copies(session)

    def submit(client: "Client") -> "Submitted":
        if any(one.spec.inputs for one in submissions):
            remove_old_copies(session, client)  # first, as the disk may be full of them
        return client.submit(copies.given(submissions), request=request, user=user)

    try:
        made = ask_or_start(session, submit, may_start=may_start)
    except IdleqError as error:
        copies.drop(error)
        raise
    for remark in made.remarks:
        session.say(remark)
    lines = [_line(entry, one) for entry, one in zip(made.entries, submissions, strict=True)]
    return Result(value=made, text=("\n".join(lines),), ids=tuple(map(str, made.entries)))


def _line(entry: int, submission: "Submission") -> str:
    kind = "job" if submission.array is None else f"array of {submission.tasks} tasks,"
    return f"Submitted {kind} {entry} ({submission.spec.name})" + (", held" if submission.held else "")
