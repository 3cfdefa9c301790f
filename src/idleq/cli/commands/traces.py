"""`idleq traces`: the logs that `idleq simulate` knows by name."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.options import IdleqCommand, IdleqGroup, session_of
from idleq.cli.result import Result, Table
from idleq.cli.wording import counted, size, span

if TYPE_CHECKING:
    from idleq.simulator.places import Places
    from idleq.simulator.sacct import Imported

traces_app = typer.Typer(
    cls=IdleqGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Keep the logs that `idleq simulate` knows by name.",
)

SECOND = 1000
LONGEST_LIMIT = 3650 * 86_400


Replace = Annotated[bool, typer.Option("--replace", help="Take the place of a log that has that name.")]


def _places(context: typer.Context) -> "Places":
    from idleq.simulator.places import Places

    return Places.from_environment(session_of(context).environment)


@traces_app.command("ls", cls=IdleqCommand)
def ls(context: typer.Context) -> Result:
    """List the traces that have names."""
    from idleq.simulator.library import kept_traces

    kept = kept_traces(_places(context))
    rows = [
        (one.name, size(one.path.stat().st_size), "idleq's own" if one.is_shipped else str(one.path)) for one in kept
    ]
    value = [{"name": one.name, "path": str(one.path), "shipped": one.is_shipped} for one in kept]
    table = Table(columns=("TRACE", "SIZE", "FROM"), rows=rows, right=frozenset({"SIZE"}))
    return Result(value=value, text=(table,), ids=tuple(one.name for one in kept))


@traces_app.command("add", cls=IdleqCommand)
def add(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A log in the Standard Workload Format, gzipped or not.")
    ],
    name: Annotated[str | None, typer.Option(help="What to call it [default: the file's name].")] = None,
    replace: Replace = False,
) -> Result:
    """Keep a copy of a log under a name, if it can be read."""
    from idleq.simulator import library
    from idleq.simulator.tracecache import read_cached

    places = _places(context)
    log, _ = read_cached(file, places.read_traces)
    called = library.plain_name(file) if name is None else name
    path = library.add(file.read_bytes(), called, places, replace=replace)
    said = f"{called}: {counted(len(log.rows), 'line')} of jobs, {len(log.dropped)} that are none, kept in {path}"
    value = {"name": called, "path": str(path), "lines": len(log.rows), "dropped": len(log.dropped)}
    return Result(value=value, text=(said,), ids=(called,))


@traces_app.command("rm", cls=IdleqCommand)
def rm(
    context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", help="One of `traces ls`.")]
) -> Result:
    """Forget a log that was added; its file elsewhere stays."""
    from idleq.simulator import library

    library.remove(name, _places(context))
    return Result(value={"name": name}, text=(f"{name} is forgotten",), ids=(name,))


@traces_app.command("show", cls=IdleqCommand)
def show(
    context: typer.Context,
    trace: Annotated[str, typer.Argument(metavar="TRACE", help="A name, a file, synthetic:... or lublin:....")],
    procs: Annotated[int | None, typer.Option(help="Processors [default: what the trace says].")] = None,
) -> Result:
    """Say what a trace holds, and what of it is dropped and why."""
    from idleq.cli.commands.mainqueue import dropped_lines
    from idleq.simulator.sources import load_trace

    loaded = load_trace(trace, _places(context), procs)
    table = loaded.table
    seconds = int(table.submit[-1] - table.submit[0])
    facts = {
        "Trace": loaded.name,
        "Digest": loaded.digest,
        "Processors": str(loaded.processors),
        "Main jobs": str(len(table)),
        "Users": str(len(set(table.user.tolist()) - {-1})),
        "Span": f"{seconds} s ({span(seconds * SECOND)}) from the first submit to the last",
        "Load": f"{loaded.load:.3f} of the processors over that span",
        "Largest job": counted(int(table.size.max()), "processor"),
        "Longest run": span(int(table.run.max()) * SECOND),
    }
    value = {
        "name": loaded.name,
        "digest": loaded.digest,
        "processors": loaded.processors,
        "jobs": len(table),
        "seconds": seconds,
        "load": loaded.load,
        "largest": int(table.size.max()),
        "longest": int(table.run.max()),
        "dropped": loaded.dropped_by_reason(),
        "shortened": loaded.shortened,
    }
    lines = [f"{name:<12} {text}" for name, text in facts.items()]
    return Result(value=value, text=("\n".join([*lines, *dropped_lines(loaded)]),), ids=(loaded.name,))


@traces_app.command("import-sacct", cls=IdleqCommand)
def import_sacct(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What sacct --json or --parsable2 printed; - is stdin.")],
    name: Annotated[str, typer.Option(help="What to call the trace.")] = "site",
    procs: Annotated[int | None, typer.Option(help="The machine's CPUs [default: the most ever in use].")] = None,
    default_limit: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="The limit of jobs that have none, like 7d: others are dropped."),
    ] = None,
    replace: Replace = False,
) -> Result:
    """Make a trace of a site's own accounting.

    Made for `sacct -a -X --parsable2 -o JobID,Submit,Start,ElapsedRaw,Timelimit,AllocCPUS,State,User,QOS` and for `sacct -a -X --json`.
    """
    import zlib

    from idleq.simulator import library, sacct
    from idleq.simulator.errors import BadTrace
    from idleq.simulator.scenariokeys import check_values
    from idleq.simulator.swf import unzipped

    check_values({"procs": procs})
    limit = None if default_limit is None else seconds_of(default_limit)
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        content = unzipped(raw).decode("utf-8", errors="replace")
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise BadTrace(f"{file} cannot be read: {why}") from error
    made = sacct.import_sacct(content, procs, limit)
    path = library.add(made.text.encode(), name, _places(context), replace=replace)
    lines = [f"{name}: {counted(made.jobs, 'job')} on {counted(made.processors, 'processor')}, kept in {path}"]
    if procs is None:
        lines.append("The processors are the most that were in use at once: give --procs if the machine is larger")
    if made.too_large:
        lines.append(
            f"Larger than the machine: {counted(made.too_large, 'job')}, which simulations leave out: --procs is what the whole machine has"
        )
    lines += limits_of(made, default_limit)
    lines += [f"Dropped: {counted(count, 'record')}: {reason}" for reason, count in made.dropped.items()]
    lines += [f"  {where}" for where in made.unreadable]
    value = {
        "name": name,
        "path": str(path),
        "jobs": made.jobs,
        "processors": made.processors,
        "unlimited": made.unlimited,
        "too_large": made.too_large,
        "default_limit": limit,
        "dropped": made.dropped,
        "unreadable": made.unreadable,
    }
    return Result(value=value, text=("\n".join(lines),), ids=(name,))


def limits_of(made: "Imported", default_limit: str | None) -> list[str]:
    """Say what becomes of the jobs that have no time limit."""
    if not made.unlimited:
        return []
    if default_limit is not None:
        return [f"Without a time limit: {counted(made.unlimited, 'job')}, taken to have one of {default_limit}"]
    advice = "give --default-limit, the longest that the site lets a job run, like 7d"
    return [f"Without a time limit: {counted(made.unlimited, 'job')}, which simulations leave out: {advice}"]


def seconds_of(text: str) -> int:
    """Return a duration in seconds; raise a usage error if it is none of at least a second."""
    from idleq.scheduler.units import parse_duration

    try:
        seconds = parse_duration(text) // SECOND
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--default-limit") from None
    if not 1 <= seconds <= LONGEST_LIMIT:
        raise typer.BadParameter(f"a limit is from a second to ten years, not {text}", param_hint="--default-limit")
    return seconds
