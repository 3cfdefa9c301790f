"""The commands and their order; modules that take long to import are imported when a command runs."""

import copy
from collections.abc import Callable, Sequence

import typer

from idleq.cli.commands.daemon import daemon_app
from idleq.cli.commands.demo import demo
from idleq.cli.commands.doctor import doctor
from idleq.cli.commands.fetch import fetch
from idleq.cli.commands.gaps import gaps
from idleq.cli.commands.image import image_app
from idleq.cli.commands.init import init_app
from idleq.cli.commands.inside import agent, cluster_app
from idleq.cli.commands.jobs import cancel, explain, hold, ps, release
from idleq.cli.commands.logs import logs
from idleq.cli.commands.report import report
from idleq.cli.commands.simulate import simulate_app
from idleq.cli.commands.site import nodes, pause, resume, status
from idleq.cli.commands.snapshots import snapshot_app
from idleq.cli.commands.steer import freeze, modify, move
from idleq.cli.commands.submit import SubmitCommand, submit
from idleq.cli.commands.traces import traces_app
from idleq.cli.commands.trying import try_
from idleq.cli.commands.wait import wait
from idleq.cli.options import IdleqCommand, IdleqGroup, Json, Quiet, ServerDir, Version

app = typer.Typer(
    cls=IdleqGroup,
    name="idleq",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def idleq(
    wants_json: Json = False,
    is_quiet: Quiet = False,
    server_dir: ServerDir = None,
    version: Version = False,
) -> None:
    """Runs low-priority jobs in the gaps that a supercomputer's own scheduler leaves idle."""


app.command(cls=SubmitCommand, context_settings={"allow_interspersed_args": False})(submit)
app.command("try", cls=SubmitCommand, context_settings={"allow_interspersed_args": False})(try_)
for one in (
    ps,
    status,
    logs,
    wait,
    fetch,
    cancel,
    hold,
    freeze,
    release,
    move,
    modify,
    explain,
    nodes,
    gaps,
    pause,
    resume,
):
    app.command(cls=IdleqCommand)(one)
app.add_typer(snapshot_app, name="snapshot")
app.add_typer(init_app, name="init")
app.add_typer(daemon_app, name="daemon")
app.add_typer(image_app, name="image")
for one in (report, doctor, demo):
    app.command(cls=IdleqCommand)(one)
app.add_typer(simulate_app, name="simulate")
app.add_typer(traces_app, name="traces")
app.command(cls=IdleqCommand, hidden=True)(agent)
app.add_typer(cluster_app, name="cluster", hidden=True)


def as_much_as(arguments: Sequence[str]) -> typer.Typer:
    """Return the application with the one command that *arguments* call, or whole if they call none: to make all forty takes a tenth of `ps`."""
    word = _first_word(arguments)
    commands = [one for one in app.registered_commands if word in {one.name, _name_of(one.callback)}]
    groups = [one for one in app.registered_groups if one.name == word]
    if word is None or not (commands or groups):
        return app
    part = copy.copy(app)
    part.registered_commands, part.registered_groups = commands, groups
    return part


def _first_word(arguments: Sequence[str]) -> str | None:
    rest = iter(arguments)
    for one in rest:
        if one == "--server-dir":
            next(rest, None)
        elif not one.startswith("-"):
            return one
    return None


def _name_of(callback: Callable[..., object] | None) -> str | None:
    return None if callback is None else callback.__name__
