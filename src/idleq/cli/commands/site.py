"""`idleq status`, `nodes`, `pause` and `resume`: the whole of it."""

from typing import Annotated

import typer

from idleq.cli.options import session_of
from idleq.cli.result import Result


def status(context: typer.Context) -> Result:
    """Show everything at a glance."""
    from idleq.cli.views import summary_lines

    session = session_of(context)
    answer = session.client().status()
    return Result(value=answer, text=(summary_lines(answer.summary, str(session.paths.root), answer.pid),))


def nodes(context: typer.Context) -> Result:
    """List the nodes with their gaps."""
    from idleq.cli.views import nodes_table

    session = session_of(context)
    rows = session.client().nodes()
    text = nodes_table(rows, session.now()) if rows else "Nothing is known of the cluster yet."
    return Result(value={"nodes": list(rows)}, text=(text,), ids=tuple(row.name for row in rows))


def pause(
    context: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="Empty the nodes too, saving what fits: the kill switch.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for those who look.")] = "",
) -> Result:
    """Start nothing from here on."""
    session_of(context).client().pause(empty=now, reason=reason)
    what = "Paused; the nodes are being emptied" if now else "Paused; what runs goes on"
    return Result(
        value={"paused": True, "emptying": now, "reason": reason}, text=(f"{what} (`idleq resume` starts jobs again)",)
    )


def resume(context: typer.Context) -> Result:
    """Start jobs again."""
    session_of(context).client().resume()
    return Result(value={"paused": False}, text=("Resumed",))
