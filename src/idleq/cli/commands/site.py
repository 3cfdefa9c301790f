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
    from idleq.cli.wording import counted

    session = session_of(context)
    client = session.client()
    lost = client.status().summary.unfreezable if now else 0
    client.pause(empty=now, reason=reason)
    if lost:
        begin = "it has done is lost, and it begins" if lost == 1 else "they have done is lost, and they begin"
        session.say(f"{counted(lost, 'running job')} cannot be frozen: what {begin} anew.")
    what = "Paused; the nodes are being emptied" if now else "Paused; what runs goes on"
    value = {"paused": True, "emptying": now, "reason": reason} | ({"begin_anew": lost} if now else {})
    return Result(value=value, text=(f"{what} (`idleq resume` starts jobs again)",))


def resume(context: typer.Context) -> Result:
    """Start jobs again."""
    session_of(context).client().resume()
    return Result(value={"paused": False}, text=("Resumed",))
