"""The global options, before and after a command's name, and the command classes that take them there."""

import os
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup

from idleq import __version__
from idleq.cli.plain_values import read_plainly
from idleq.cli.session import Session
from idleq.ids import Millis

AnyContext: TypeAlias = Any
"""What Typer's own classes call a context is private to it."""


def _set_json(context: typer.Context, value: bool) -> None:
    if value:
        session_of(context).wants_json = True


def _set_quiet(context: typer.Context, value: bool) -> None:
    if value:
        session_of(context).is_quiet = True


def _set_server_dir(context: typer.Context, value: Path | None) -> None:
    if value is not None:
        session_of(context).server_dir = value


def _show_version(_context: typer.Context, value: bool) -> None:
    if value:
        typer.echo(f"idleq {__version__}")
        raise typer.Exit


Json = Annotated[
    bool,
    typer.Option("--json", callback=_set_json, is_eager=True, help="Print exactly one JSON value, errors too."),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=_set_quiet, is_eager=True, help="Print ids only, or nothing."),
]
ServerDir = Annotated[
    Path | None,
    typer.Option(
        "--server-dir",
        callback=_set_server_dir,
        metavar="DIR",
        help="The server directory [default: $IDLEQ_SERVER_DIR, else ~/.local/state/idleq].",
    ),
]

PIPE_CLOSED = 141
"""What the shell says of a program that SIGPIPE ended, which is what happens to most."""

Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")]

GLOBAL = ("wants_json", "is_quiet", "server_dir")
"""The root command's parameters that every command takes too."""


def session_of(context: AnyContext) -> Session:
    """Return the call that *context* is part of."""
    session = context.find_root().obj
    if not isinstance(session, Session):  # shell completion and the reference's script parse without one
        session = context.find_root().obj = Session(environment=os.environ, now=lambda: Millis(0), connect=_nobody)
    return session


def _nobody(_paths: object) -> NoReturn:
    raise typer.Exit(1)


def _global_options(context: AnyContext) -> list[Any]:
    root = context.find_root()
    return [] if root is context else [one for one in root.command.params if one.name in GLOBAL]


class IdleqCommand(TyperCommand):
    """A command that takes the global options as well as its own."""

    def get_params(self, ctx: AnyContext) -> list[Any]:
        *own, help_option = super().get_params(ctx)
        return read_plainly([*own, *_global_options(ctx), help_option])

    def invoke(self, ctx: AnyContext) -> object:
        for name in GLOBAL:
            ctx.params.pop(name, None)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # Typer would make exit code 1 of it
            raise typer.Exit(PIPE_CLOSED) from None


class IdleqGroup(TyperGroup):
    """A group of commands that takes the global options."""

    def get_params(self, ctx: AnyContext) -> list[Any]:
        *own, help_option = super().get_params(ctx)
        return read_plainly([*own, *_global_options(ctx), help_option])

    def invoke(self, ctx: AnyContext) -> object:
        if ctx.parent is not None:
            for name in GLOBAL:
                ctx.params.pop(name, None)
        return super().invoke(ctx)

    def list_commands(self, ctx: AnyContext) -> list[str]:  # noqa: ARG002 - the order in which they are declared, not the alphabet's
        return list(self.commands)
