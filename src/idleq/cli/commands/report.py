"""`idleq report`: what the gaps were used for, from the journal alone."""

from pathlib import Path
from typing import Annotated

import typer

from idleq.cli.errors import ReportNotWritten
from idleq.cli.options import session_of
from idleq.cli.outfile import OutFile
from idleq.cli.result import Result


def report(
    context: typer.Context,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one self-contained page too.")
    ] = None,
) -> Result:
    """Report the utilisation without and with guests, from the journal."""
    from idleq.bootstrap import make_report
    from idleq.scheduler.report.text import render

    session = session_of(context)
    session.paths.check()
    if html is not None:
        OutFile(html, ReportNotWritten).check()
    made = make_report(session.paths.root, html)
    where = () if html is None else (f"The page is {html.absolute()}",)
    return Result(
        value=made, text=(render(made).rstrip("\n"), *where), ids=() if html is None else (str(html.absolute()),)
    )
