"""Commands that idleq gives to itself: the agent on a node, and the embedded cluster."""

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from idleq.cli.options import IdleqCommand, IdleqGroup, session_of
from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.resources import Resources

cluster_app = typer.Typer(cls=IdleqGroup, help="The embedded cluster.", no_args_is_help=True, hidden=True)


@cluster_app.command("run", cls=IdleqCommand)
def run_cluster(context: typer.Context) -> None:
    """Be the embedded cluster of the server directory."""
    from idleq import bootstrap

    bootstrap.run_cluster(session_of(context).paths.root)


@cluster_app.callback()
def cluster() -> None:
    """The embedded cluster: started by the daemon."""


def agent(
    context: typer.Context,
    allocation: Annotated[str, typer.Option(help="Which allocation it lives in.")],
    node: Annotated[str, typer.Option(help="Which node it is on.")],
    scratch: Annotated[Path, typer.Option(help="The node's own disk.")],
    cores: Annotated[int, typer.Option(min=1)],
    memory: Annotated[int, typer.Option(min=1, help="In bytes.")],
    gpus: Annotated[int, typer.Option(min=0)] = 0,
    until: Annotated[int | None, typer.Option(help="When it must be gone, in Unix milliseconds.")] = None,
    grace: Annotated[int, typer.Option(min=0, help="Milliseconds from SIGTERM to the end.")] = 0,
    transport: Annotated[str, typer.Option(metavar="api|spool")] = "api",
    compression: Annotated[str, typer.Option(metavar="auto|on|off", help="Of snapshots.")] = "auto",
    key_file: Annotated[Path | None, typer.Option(help="Of the keys that encrypt snapshots.")] = None,
    generations: Annotated[int, typer.Option(min=2, help="How many snapshots of a job are kept.")] = 2,
    niceness: Annotated[int, typer.Option(min=0, max=19, help="Of guests that are plain processes.")] = 0,
) -> int:
    """Be the agent of an allocation: started by the cluster."""
    from idleq import bootstrap
    from idleq.migration.packer import Compression
    from idleq.scheduler.agent.settings import AgentSettings, Transport

    if transport not in set(Transport):
        raise typer.BadParameter(f"it must be one of {', '.join(Transport)}", param_hint="--transport")
    if compression not in get_args(Compression):
        raise typer.BadParameter(f"it must be one of {', '.join(get_args(Compression))}", param_hint="--compression")
    settings = AgentSettings(
        server_dir=session_of(context).paths.root,
        allocation=AllocationId(allocation),
        node=NodeName(node),
        scratch=scratch,
        resources=Resources(cores, memory, gpus),
        until=None if until is None else Millis(until),
        grace_ms=Millis(grace),
        transport=Transport(transport),
        compression=cast("Compression", compression),
        key_file=key_file,
        generations=generations,
        niceness=niceness,
    )
    return bootstrap.run_agent(settings)
