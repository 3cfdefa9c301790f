"""`idleq gaps`: what is believed of every node's gap, once or as it changes."""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.options import session_of
from idleq.cli.result import Result
from idleq.errors import IdleqError

if TYPE_CHECKING:
    from idleq.cli.gaps import GapRow
    from idleq.cli.session import Session
    from idleq.ids import Millis, NodeName

Moment = tuple["Millis", "list[GapRow]"]
"""A time, and what is believed then."""


def gaps(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on as gaps change, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How often to look, watching.")] = 2.0,
) -> Result | int:
    """Show each node's gap: from when, until when, why, and how far that can be trusted.

    Watching with --json prints one JSON value a line, for each gap that changes, instead of one value in all; an error too is one line.
    """
    from idleq.cli.gaps import gaps_table, heading

    session = session_of(context)
    if watch:
        return watched(session, every)
    now, rows = next(moments(session, every))
    text = (gaps_table(rows, now), heading(rows)) if rows else ("Nothing is known of the cluster yet.",)
    return Result(value={"gaps": rows}, text=text, ids=tuple(row.node for row in rows if row.state == "open"))


def moments(session: "Session", every: float) -> Iterator[Moment]:
    """Yield what is believed, again and again."""
    from idleq.cli.gaps import gap_row

    client = session.client()
    while True:
        now = session.now()
        yield now, [gap_row(node, now) for node in client.nodes()]
        time.sleep(every)


def watched(session: "Session", every: float) -> int:
    """Show what is believed as it changes, until there is nobody to ask: drawn on a terminal, elsewhere a line for each change."""
    if session.stdout.isatty() and not session.wants_json and not session.is_quiet:
        draw(session, moments(session, every))
        return 0
    before: dict[NodeName, GapRow] = {}
    try:
        for moment in moments(session, every):
            before = tell_changes(session, before, moment)
    except IdleqError as error:
        if not session.wants_json:
            raise
        from idleq.cli.printer import error_value

        print_line(session, error_value(error, error.exit_code))
        return error.exit_code
    return 0


def print_line(session: "Session", value: object) -> None:
    """Print *value* as JSON in one line."""
    session.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    session.stdout.flush()


def tell_changes(session: "Session", before: "dict[NodeName, GapRow]", moment: Moment) -> "dict[NodeName, GapRow]":
    """Print a line for each gap of which something else is believed than *before*; return what is believed now."""
    import msgspec

    from idleq.cli.gaps import changed, gap_line
    from idleq.cli.wording import clock_time

    now, rows = moment
    known = {row.node: row for row in rows}
    told = [
        ({"at": now, "gap": msgspec.to_builtins(row)}, row.node, gap_line(row, now)) for row in changed(before, rows)
    ]
    told += [({"at": now, "gone": node}, node, f"{node}: gone") for node in before if node not in known]
    for value, node, line in told:
        if session.wants_json:
            print_line(session, value)
        else:
            session.stdout.write(f"{node}\n" if session.is_quiet else f"{clock_time(now)}  {line}\n")
    session.stdout.flush()
    return known


def draw(session: "Session", seen: Iterator[Moment]) -> None:
    """Keep a picture of all gaps on the terminal."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from idleq.cli.gaps import gaps_table, heading
    from idleq.cli.printer import drawn_table
    from idleq.cli.wording import clock_time

    console = Console(file=session.stdout, no_color=not session.has_colours, highlight=False)
    with Live(console=console, auto_refresh=False) as live:
        for now, rows in seen:
            table = drawn_table(gaps_table(rows, now), console.width)
            live.update(Group(Text(f"{clock_time(now)}  {heading(rows)}"), table), refresh=True)
