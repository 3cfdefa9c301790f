"""`idleq daemon`: the process on the login node."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.errors import ClusterIsTheSites, DaemonDidNotStop
from idleq.cli.options import IdleqCommand, IdleqGroup, session_of
from idleq.cli.result import Result
from idleq.scheduler.errors import DaemonAway, DaemonRunning, ServerDirectoryUnsafe

if TYPE_CHECKING:
    from idleq.cli.session import Session

PATIENCE_SECONDS = 30.0
"""A daemon that stops finishes its turn and its answers first."""

GLANCE_SECONDS = 0.1

ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", metavar="local|embedded|slurm", help="The cluster, whatever config.toml says."),
]

daemon_app = typer.Typer(cls=IdleqGroup, help="Start, stop and look at the daemon.", no_args_is_help=True)


@daemon_app.command(cls=IdleqCommand)
def start(context: typer.Context, cluster: ClusterOption = None) -> Result:
    """Start the daemon in the background."""
    from idleq.cli.starting import start_daemon

    session = session_of(context)
    if (pid := running(session)) is not None:
        raise DaemonRunning(f"a daemon serves {session.paths.root} already (process {pid})")
    start_daemon(session, cluster=cluster)
    return about(session, "Started")


@daemon_app.command(cls=IdleqCommand)
def stop(
    context: typer.Context,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="End the cluster on this machine too, with all that runs in it.")
    ] = False,
) -> Result:
    """Stop the daemon; the cluster and what runs in it go on, and are found again by the next one.

    With --cluster nothing goes on; what was not saved is lost. That works without a daemon too. On Slurm, whose cluster is not ours to end, it is refused.
    """
    from idleq.bootstrap import cluster_process, stop_cluster

    session = session_of(context)
    root = session.paths.root
    cluster_pid = cluster_process(root)
    if cluster and cluster_pid is None:
        refuse_on_slurm(session)
    pid = stopped(session)
    has_ended_cluster = cluster and stop_cluster(root)
    if pid is None and not has_ended_cluster:
        raise nothing_to_stop(session, cluster_pid)
    what = " and ".join(name for name, one in (("the daemon", pid), ("the cluster", has_ended_cluster)) if one)
    lines = [f"Stopped {what} of {root}"]
    if cluster_pid is not None and not cluster:
        lines.append(
            f"The cluster (process {cluster_pid}) goes on, with what runs in it; `idleq daemon stop --cluster` ends it"
        )
    value = {"running": False, "pid": pid, "cluster": None if cluster else cluster_pid}
    return Result(value=value, text=("\n".join(lines),))


def refuse_on_slurm(session: "Session") -> None:
    """Raise ClusterIsTheSites if guests run on Slurm here."""
    from idleq.scheduler.config import SlurmSettings, load_config

    if session.paths.config.exists() and isinstance(load_config(session.paths.config).cluster, SlurmSettings):
        raise ClusterIsTheSites(
            "--cluster ends a cluster of idleq's own, and guests run on Slurm here: `idleq pause --now` saves what they do and gives their"
            " nodes back, then `idleq daemon stop`; without it they are found again by the next daemon, or save and leave after their lease"
        )


def nothing_to_stop(session: "Session", cluster_pid: int | None) -> DaemonAway:
    """Return what to raise where no daemon answers; whoever wants to stop one is not told how to start one."""
    root, owner = session.paths.root, session.holder()
    if owner is not None:
        return DaemonAway(
            f"the daemon of {root} (process {owner.pid} on {owner.host}) has not let go of it, but does not answer"
        )
    if cluster_pid is None:
        return DaemonAway(f"there is nothing to stop: no daemon serves {root}, and no cluster runs there")
    return DaemonAway(
        f"no daemon serves {root}; its cluster (process {cluster_pid}) runs, and `idleq daemon stop --cluster` ends it"
    )


def stopped(session: "Session") -> int | None:
    """Stop the daemon and return its process; None where no daemon answers.

    A server directory that is open to others is no reason to let the daemon in it run.

    Raises:
        ServerDirectoryUnsafe: the directory is not ours.
    """
    try:
        session.paths.check()
    except ServerDirectoryUnsafe as error:
        if not session.paths.is_ours():
            raise
        session.say(f"idleq: {error}")
    try:
        client = session.connect(session.paths)
        pid = client.status().pid
    except DaemonAway:
        return None
    client.shut_down()
    await_silence(session, pid)
    return pid


def await_silence(session: "Session", pid: int) -> None:
    """Return once the daemon has let go of the server directory; raise DaemonDidNotStop if it goes on."""
    from idleq.scheduler.lock import holder

    end = time.monotonic() + PATIENCE_SECONDS
    while answers(session) or holder(session.paths.lock) is not None:
        if time.monotonic() > end:
            raise DaemonDidNotStop(f"the daemon (process {pid}) goes on; its log is {session.paths.log}")
        time.sleep(GLANCE_SECONDS)


def answers(session: "Session") -> bool:
    """Whether a daemon answers, be the directory as it may."""
    try:
        session.connect(session.paths).status()
    except DaemonAway:
        return False
    return True


@daemon_app.command(cls=IdleqCommand)
def status(context: typer.Context) -> Result:
    """Say whether a daemon serves the server directory; the exit code is 14 if none does."""
    return about(session_of(context), "Running")


@daemon_app.command(cls=IdleqCommand)
def run(context: typer.Context, cluster: ClusterOption = None) -> None:
    """Be the daemon, in the foreground, until SIGTERM."""
    from idleq.bootstrap import run_daemon

    run_daemon(session_of(context).paths, cluster=cluster)


@daemon_app.command(cls=IdleqCommand)
def once(context: typer.Context, cluster: ClusterOption = None) -> Result:
    """Do one cycle and leave: for cron, where daemons are not welcome.

    Come back well before the agents' lease is over (policy.lease, 2 minutes unless set): they leave when nobody does.
    """
    from idleq.bootstrap import run_once

    session = session_of(context)
    warning = run_once(session.paths, session.now(), cluster=cluster)
    if warning:
        session.say(f"idleq: {warning}")
    return Result(value={"cycles": 1, "warning": warning}, text=("Did one cycle",))


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
