"""`idleq demo`: watch a real training move from gap to gap."""

from pathlib import Path
from typing import Annotated

import typer

from idleq.cli.demo.settings import STEPS
from idleq.cli.options import session_of
from idleq.cli.result import Result


def demo(
    context: typer.Context,
    nodes: Annotated[int, typer.Option(min=2, max=64, help="Virtual nodes on this machine.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of the main jobs and of the training.")] = 1,
    steps: Annotated[
        int, typer.Option(min=1, help="Training steps; doubled on a machine so quick that the job hardly moves.")
    ] = STEPS,
    directory: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where everything goes [default: a new temporary directory]."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the server directory and the data as well.")] = False,
) -> Result:
    """Train a network in the idle gaps of a small busy cluster on this machine, and check its result.

    Takes 5 to 10 minutes on two cores; what it needs takes about 2 GB of disk once installed. Nothing outside the demo's own directory is touched.
    """
    from idleq.cli.demo.run import run_demo
    from idleq.cli.demo.settings import DemoSettings

    return run_demo(session_of(context), DemoSettings(nodes=nodes, seed=seed, steps=steps), directory, keep=keep)
