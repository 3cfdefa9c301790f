"""`idleq daemon`: the process on the login node."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.errors import DaemonDidNotStop
from idleq.cli.options import IdleqCommand, IdleqGroup, session_of
from idleq.cli.result import Result
from idleq.scheduler.errors import DaemonAway, DaemonRunning

if TYPE_CHECKING:
    from idleq.cli.session import Session

PATIENCE_SECONDS = 30.0
"""A daemon that stops finishes its turn and its answers first."""

GLANCE_SECONDS = 0.1

daemon_app = typer.Typer(cls=IdleqGroup, help="Start, stop and look at the daemon.", no_args_is_help=True)


@daemon_app.command(cls=IdleqCommand)
def start(context: typer.Context) -> Result:
    """Start the daemon in the background."""
    from idleq.cli.starting import start_daemon

    session = session_of(context)
    if (pid := running(session)) is not None:
        raise DaemonRunning(f"a daemon serves {session.paths.root} already (process {pid})")
    start_daemon(session)
    return about(session, "Started")


@daemon_app.command(cls=IdleqCommand)
def stop(
    context: typer.Context,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="End the embedded cluster too, with all that runs in it.")
    ] = False,
) -> Result:
    """Stop the daemon; what runs goes on, and is found again by the next one."""
    session = session_of(context)
    client = session.client()
    pid = client.status().pid
    client.shut_down()
    await_silence(session, pid)
    if cluster:
        from idleq.bootstrap import stop_cluster

        stop_cluster(session.paths.root)
    also = " and its cluster" if cluster else ""
    return Result(value={"running": False, "pid": pid}, text=(f"Stopped the daemon of {session.paths.root}{also}",))


def await_silence(session: "Session", pid: int) -> None:
    """Return once the daemon has let go of the server directory; raise DaemonDidNotStop if it goes on."""
    from idleq.scheduler.lock import holder

    end = time.monotonic() + PATIENCE_SECONDS
    while running(session) is not None or holder(session.paths.lock) is not None:
        if time.monotonic() > end:
            raise DaemonDidNotStop(f"the daemon (process {pid}) goes on; its log is {session.paths.log}")
        time.sleep(GLANCE_SECONDS)


@daemon_app.command(cls=IdleqCommand)
def status(context: typer.Context) -> Result:
    """Say whether a daemon serves the server directory; the exit code is 14 if none does."""
    return about(session_of(context), "Running")


@daemon_app.command(cls=IdleqCommand)
def run(
    context: typer.Context,
    cluster: Annotated[
        str | None, typer.Option(metavar="local|embedded", help="The cluster, whatever config.toml says.")
    ] = None,
) -> None:
    """Be the daemon, in the foreground, until SIGTERM."""
    from idleq.bootstrap import run_daemon

    run_daemon(session_of(context).paths, cluster=cluster)


@daemon_app.command(cls=IdleqCommand)
def once(context: typer.Context) -> Result:
    """Do one cycle and leave: for cron, where daemons are not welcome."""
    from idleq.bootstrap import run_once

    session = session_of(context)
    run_once(session.paths)
    return Result(value={"cycles": 1}, text=("Did one cycle",))


def running(session: "Session") -> int | None:
    """Return the pid of the daemon that answers, None if none does."""
    try:
        return session.client().status().pid
    except DaemonAway:
        return None


def about(session: "Session", word: str) -> Result:
    """Return who serves the server directory; raise DaemonAway if nobody does."""
    answer, root = session.client().status(), session.paths.root
    value = {"running": True, "pid": answer.pid, "daemon": answer.daemon, "server_dir": str(root)}
    return Result(value=value, text=(f"{word}: process {answer.pid} serves {root}",), ids=(str(answer.pid),))
