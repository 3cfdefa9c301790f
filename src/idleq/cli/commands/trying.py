"""`idleq try`: whether a command can be a guest, and how, seen by freezing it on this machine."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.commands.submit import Pairs, from_line, pairs, point_out
from idleq.cli.containeroptions import Image, Mounts, Runtime, Workdir, from_here
from idleq.cli.options import session_of
from idleq.cli.result import Result, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from idleq.scheduler.agent.trial import Tryout


def try_(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORKLOAD [ARGS]... | -- COMMAND [ARGS]...", show_default=False)
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="For all that it does, and again for saving itself.")] = 60.0,
    env: Annotated[Pairs, typer.Option(metavar="KEY=VALUE", help="An environment variable (again for more).")] = None,
    signal: Annotated[str | None, typer.Option(help="What asks it to save itself [default: SIGUSR1].")] = None,
    image: Image = None,
    runtime: Runtime = None,
    mount: Mounts = None,
    workdir: Workdir = None,
) -> Result:
    """Run a command on this machine, freeze it half-way, go on in other folders, and compare with an undisturbed run.

    No daemon is needed. Give it a small case of what it is to do: it runs two to five times. The exit code is 84 if nothing but
    beginning anew is left.
    """
    from idleq import bootstrap
    from idleq.cli.catalog import load_catalog
    from idleq.cli.errors import MustBeginAnew
    from idleq.scheduler.core.submission import FreezeMethod

    session = session_of(context)
    catalog = load_catalog(session.paths.config)
    point_out(session, context.meta["idleq.misplaced"])
    given = {
        "environment": pairs(env, "--env"), "signal": signal, "image": image, "runtime": runtime,
        "mounts": mount or None, "workdir": from_here(workdir, image),
    }  # fmt: skip
    options = {key: value for key, value in given.items() if value is not None}
    is_command = context.meta["idleq.is_command"]
    spec = from_line(words or [], options, catalog, is_command=is_command).spec
    came = bootstrap.try_command(spec, seconds, session.paths.config)
    typed = {"--env": env, "--image": image, "--runtime": runtime, "--mount": mount, "--workdir": workdir}
    line = shlex.join([*_as_typed(typed), *(["--"] if is_command else []), *(words or [])])
    code = MustBeginAnew.exit_code if came.advice is FreezeMethod.NONE else 0
    told = (f"Its signal, {signal}, belongs in a job file: submit has no option for it.",) if signal else ()
    return Result(value=came, text=(*shown(came, line), *told), ids=(came.advice.value,), code=code)


def _as_typed(options: "Mapping[str, str | Sequence[str] | None]") -> "Iterator[str]":
    """Yield the words of the *options* that were given."""
    for option, given in options.items():
        for value in [given] if isinstance(given, str) else given or ():
            yield from (option, value)


def shown(came: "Tryout", line: str) -> "tuple[str | Table, ...]":
    """Return what came of it for people; *line* is what they typed."""
    from idleq.scheduler.core.submission import FreezeMethod

    files = "1 file" if came.files == 1 else f"{came.files} files"
    rows = [(one.way.value, "yes" if one.works else "no", one.found) for one in came.tried]
    if came.advice is FreezeMethod.NONE:
        verdict = (
            "It can be a guest only if it may begin anew whenever its gap ends: `idleq submit --freeze none "
            f"{line}`, with --expected if you know how long it runs. See the workload contract for how to make it freezable."
        )
    else:
        verdict = f"It can be a guest: idleq submit --freeze {came.advice.value} {line}"
    return (
        f"Undisturbed it takes {came.took_ms / 1000:.1f} s and leaves {files}.",
        Table(columns=("FREEZE", "WORKS", "WHAT WAS FOUND"), rows=rows),
        verdict,
    )
