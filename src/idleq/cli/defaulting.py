"""A group one of whose commands is meant where none is named: `idleq simulate TRACE` beside `idleq simulate sweep FILE`."""

from typing import Any

import typer

from idleq.cli.options import AnyContext, IdleqCommand, IdleqGroup

DEFAULT = "run"
"""The name of the command that is meant; never shown, and not reserved: what is called so is an argument."""


class DefaultContext(typer.Context):
    """A call of the command that is meant, which has no name of its own to put behind its group's."""

    @property
    def command_path(self) -> str:
        return str(super().command_path).rstrip()


class DefaultCommand(IdleqCommand):
    """The command that is meant: it is shown under its group's name, and lists the group's other commands."""

    context_class = DefaultContext

    def make_context(  # type: ignore[override]  # the context's own class is private to Typer
        self,
        _name: str | None,
        args: list[str],
        parent: AnyContext = None,
        **extra: Any,  # noqa: ANN401 - as in Typer
    ) -> AnyContext:
        return super().make_context(None, args, parent=parent, **extra)

    def format_usage(self, ctx: AnyContext, formatter: Any) -> None:  # noqa: ANN401 - Typer's own class
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)))

    def format_options(self, ctx: AnyContext, formatter: Any) -> None:  # noqa: ANN401 - as above
        super().format_options(ctx, formatter)
        if ctx.parent is not None:
            ctx.parent.command.format_commands(ctx.parent, formatter)

    def shell_complete(self, ctx: AnyContext, incomplete: str) -> list[Any]:
        found = super().shell_complete(ctx, incomplete)
        if ctx.parent is None or ctx.args or any(ctx.params.get(one.name) for one in self._arguments()):
            return found
        others = ctx.parent.command.shell_complete(ctx.parent, incomplete)
        return [*(one for one in others if not one.value.startswith("-")), *found]

    def _arguments(self) -> list[Any]:
        return [one for one in self.params if one.param_type_name == "argument"]


class DefaultGroup(IdleqGroup):
    """Takes a first word that is none of its commands, and help, for its default command."""

    default = DEFAULT

    def parse_args(self, ctx: AnyContext, args: list[str]) -> list[str]:
        if self._first_word(args) not in self._named:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: AnyContext, formatter: Any) -> None:  # noqa: ANN401 - as above
        default = self.commands[DEFAULT]
        default.format_help(DefaultContext(default, info_name=None, parent=ctx), formatter)

    def list_commands(self, ctx: AnyContext) -> list[str]:
        return [name for name in super().list_commands(ctx) if name != DEFAULT]

    @property
    def _named(self) -> set[str]:
        return {name for name in self.commands if name != DEFAULT}

    def _first_word(self, args: list[str]) -> str:
        """Return the first of *args* that is no global option."""
        rest = iter(args)
        for word in rest:
            if word == "--server-dir":
                next(rest, None)
            elif word not in {"--json", "--quiet", "-q"} and not word.startswith("--server-dir="):
                return word
        return ""
