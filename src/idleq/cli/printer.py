"""Prints results and errors: for people on a terminal by rich, elsewhere as plain columns; as JSON; or only the ids."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TextIO

from idleq.cli.fitting import fitted
from idleq.cli.result import Result, Table
from idleq.errors import IdleqError

if TYPE_CHECKING:
    from rich.table import Table as RichTable


def print_json(value: object, out: TextIO) -> None:
    """Print *value* (dataclasses too) as one JSON value."""
    import msgspec

    json.dump(msgspec.to_builtins(value), out, indent=2, ensure_ascii=False)
    out.write("\n")


def print_ids(result: Result, out: TextIO) -> None:
    """Print the ids only."""
    out.writelines(f"{one}\n" for one in result.ids)


def print_text(result: Result, out: TextIO, *, has_colours: bool) -> None:
    """Print for people."""
    for place, block in enumerate(result.text):
        if place:
            out.write("\n")
        if isinstance(block, str):
            out.write(f"{block}\n")
        elif out.isatty():
            _print_rich(block, out, has_colours=has_colours)
        else:
            out.writelines(f"{line}\n" for line in plain_lines(block))


def plain_lines(table: Table) -> list[str]:
    """Return the table as aligned columns, two spaces apart."""
    lines = [table.columns, *table.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.columns))]
    return ([table.title] if table.title else []) + [_plain_line(line, widths, table) for line in lines]


def _plain_line(line: Sequence[str], widths: Sequence[int], table: Table) -> str:
    cells = (
        text.rjust(width) if title in table.right else text.ljust(width)
        for text, width, title in zip(line, widths, table.columns, strict=True)
    )
    return "  ".join(cells).rstrip()


def _print_rich(table: Table, out: TextIO, *, has_colours: bool) -> None:
    from rich.console import Console

    colours: Literal["standard"] | None = "standard" if has_colours else None
    console = Console(file=out, color_system=colours, force_terminal=True, highlight=False)
    console.print(drawn_table(table, console.width))


def drawn_table(table: Table, width: int) -> "RichTable":
    """Return *table* as a terminal of *width* characters gets it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    table = fitted(table, width - FRAME, GAP)
    drawn = RichTable(box=SIMPLE_HEAD, title=table.title or None, title_justify="left", pad_edge=False)
    for title in table.columns:
        justify: Literal["left", "right"] = "right" if title in table.right else "left"
        if table.elastic:
            drawn.add_column(title, justify=justify, overflow="ellipsis", no_wrap=True)
        else:
            drawn.add_column(title, justify=justify, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    return drawn


FRAME, GAP = 2, 3
"""Characters that a drawn table has around it and between two columns."""


STYLES = {
    "running": "green", "done": "green", "ok": "green", "idle": "cyan", "queued": "cyan", "frozen": "blue",
    "held": "yellow", "delayed": "yellow", "freezing": "yellow", "warning": "yellow",
    "failed": "red", "down": "red", "problem": "red", "cancelled": "dim",
}  # fmt: skip
"""Colours of words that stand alone in a cell."""


def error_value(error: BaseException, exit_code: int, hint: str = "") -> dict[str, object]:
    """Return what --json prints for *error*: the same as the API answers."""
    what = {"kind": type(error).__name__, "message": message_of(error), "hint": hint, "exit_code": exit_code}
    return {"error": what}


def message_of(error: BaseException) -> str:
    """Return what *error* says; its class's sentence where it says nothing."""
    if isinstance(error, IdleqError):
        return str(error) or (type(error).__doc__ or type(error).__name__).strip()
    return str(error) or type(error).__name__


def print_error(message: str, hint: str, err: TextIO) -> None:
    """Tell a person what went wrong and what to do."""
    err.write(f"idleq: {message}\n" + (f"       {hint}\n" if hint else ""))
