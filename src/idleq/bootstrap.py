"""The composition root: the only place that names concrete adapters. Everything else receives them as arguments.

Each function imports what its own process needs: an agent has to be up in a fraction of a second, and needs no web server.
"""

import gc
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from idleq.ids import Fence, JobId, Millis

if TYPE_CHECKING:
    from idleq.ids import JobId
    from idleq.scheduler.agent.drill import Drilled
    from idleq.scheduler.agent.settings import AgentSettings
    from idleq.scheduler.agent.trial import Tryout
    from idleq.scheduler.config import Config, EmbeddedSettings, LocalSettings, SlurmSettings
    from idleq.scheduler.core.commands import RequestAllocation
    from idleq.scheduler.core.snapshot import Snapshot
    from idleq.scheduler.core.submission import JobSpec
    from idleq.scheduler.paths import ServerPaths
    from idleq.scheduler.ports import Clock, Cluster
    from idleq.scheduler.report import Report
    from idleq.scheduler.service import Service
    from idleq.scheduler.slurm.survey import Survey
    from idleq.scheduler.store.journal import Journal
    from idleq.simulator.costs import GuestCosts
    from idleq.simulator.embedded import EmbeddedCluster
    from idleq.simulator.settings import ClusterSettings

POLL_MS, CALM_MS = Millis(200), Millis(1000)
"""The embedded cluster answers in a millisecond; real schedulers are asked less often."""

ONCE_MS = Millis(5_000)
"""How long one cycle takes at the most: a few rounds, so that what it asks for can still come up."""

OWNERS_SHARE = 4
"""One part in so many of this machine's memory is left to whoever sits before it."""

COLLECTIONS = (10_000, 50, 200)
"""When Python looks for unreachable cycles: a full search goes through every job in memory, and stops the daemon for a third of a
second at 100,000 of them. The engine and the simulator make no cycles, so that search may come rarely."""

AGENT_ARGUMENTS = (
    "agent",
    *("--allocation", "{allocation}", "--node", "{node}", "--scratch", "{scratch}"),
    *("--cores", "{cores}", "--memory", "{memory}", "--gpus", "{gpus}"),
    *("--until", "{until}", "--grace", "{grace}"),
)


def run_daemon(paths: "ServerPaths", *, cluster: str | None = None) -> None:
    """Be the daemon of *paths* until SIGTERM; *cluster* names a kind of cluster, whatever config.toml says.

    Raises:
        BadConfig, ServerDirectoryUnsafe, DaemonRunning, PortInUse, JournalTooNew: nothing was begun.
    """
    from idleq.scheduler.signals import on_stop

    collect_rarely()
    with _service(paths, cluster) as service, on_stop(lambda _signal: service.stop()):
        service.run()


def collect_rarely() -> None:
    """Let the garbage collector's full searches be rare in this process, and leave out what imports have made."""
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)


def run_once(paths: "ServerPaths", now: Millis, *, cluster: str | None = None) -> str:
    """Do one cycle of the daemon's work; return what is to be minded about the time since the last, "" if nothing.

    Raises:
        BadConfig, ServerDirectoryUnsafe, DaemonRunning, JournalUnavailable: nothing was done.
    """
    from idleq.scheduler.clock import SteadyClock
    from idleq.scheduler.lock import last_held
    from idleq.scheduler.rounds import pace_warning

    last = last_held(paths.lock)
    with _service(paths, cluster) as service:
        service.once(Millis(SteadyClock().now() + ONCE_MS))
    return "" if last is None else pace_warning(Millis(now - last), _config(paths, cluster).policy.lease_ms)


def run_agent(settings: "AgentSettings") -> int:
    """Be an agent until there is nothing left to do; return the exit code."""
    from idleq.scheduler.agent.main import run
    from idleq.scheduler.config import load_config
    from idleq.scheduler.paths import ServerPaths

    collect_rarely()
    containers = load_config(ServerPaths(settings.server_dir).config).containers
    return run(replace(settings, mount_roots=containers.roots))


def run_cluster(server_dir: Path) -> None:
    """Be the embedded cluster of *server_dir* until it is told to stop."""
    from idleq.simulator import live

    live.run(server_dir)


def cluster_process(server_dir: Path) -> int | None:
    """Return the process of the embedded cluster of *server_dir*, None if there is none."""
    return _embedded_cluster(server_dir).process()


def stop_cluster(server_dir: Path) -> bool:
    """End the embedded cluster of *server_dir* with all that runs in it; return whether there was anything to end.

    Raises:
        BadRecords: its process was killed, and what it wrote down cannot be read.
        ClusterAway: its process does not answer, or cannot be started.
    """
    return _embedded_cluster(server_dir).stop()


def make_report(server_dir: Path, page: Path | None = None) -> "Report":
    """Return the utilisation report of *server_dir*, and write it as one HTML file to *page*.

    Raises:
        JournalUnavailable: there is no journal, or it cannot be read.
    """
    from idleq.scheduler.atomic import write_atomically
    from idleq.scheduler.config import load_config
    from idleq.scheduler.paths import ServerPaths
    from idleq.scheduler.report import build

    paths = ServerPaths(server_dir)
    with _journal(paths, load_config(paths.config), create=False) as journal:
        report = build(journal.facts())
    if page is not None:
        from idleq.scheduler.report.page import render

        write_atomically(page, render(report).encode(), mode=0o644)
    return report


def learned_costs(server_dir: Path, where: str = "") -> "GuestCosts | None":
    """Return what guests cost by the journal of *server_dir*, or of *where*: another server directory, or a database's URL.

    Raises:
        JournalUnavailable: there is no journal, or it cannot be read.
    """
    from idleq.scheduler.config import load_config
    from idleq.scheduler.paths import ServerPaths
    from idleq.scheduler.store.journal import Journal
    from idleq.simulator.costs import costs_from_journal

    if "://" in where:
        journal = Journal.open(where, create=False)
        try:
            return costs_from_journal(fact for _, fact in journal.facts())
        finally:
            journal.close()
    paths = ServerPaths(Path(where).absolute() if where else server_dir)
    with _journal(paths, load_config(paths.config), create=False) as journal:
        return costs_from_journal(fact for _, fact in journal.facts())


def drill_snapshot(paths: "ServerPaths", job: "JobId", spec: "JobSpec", taken: "Snapshot", seconds: float) -> "Drilled":
    """Thaw a copy of a snapshot on this machine, see that its program goes on, and throw the copy away.

    Raises:
        SnapshotDamaged: it does not verify.
        InputsGone: what its job is given does not.
        KeyUnusable: the keys of snapshots cannot be read.
    """
    from idleq.migration.sealing import NO_KEYS, read_keys
    from idleq.scheduler.agent.abilities import look_here
    from idleq.scheduler.agent.drill import Drill
    from idleq.scheduler.agent.main import alone_here
    from idleq.scheduler.config import load_config

    config = load_config(paths.config)
    keys = read_keys(paths.root / config.snapshots.key_file) if config.snapshots.key_file else NO_KEYS
    inputs = paths.input(spec.inputs.id) if spec.inputs else None
    with alone_here(config.containers.roots, seconds) as alone:
        _, machine = look_here()
        drill = Drill(alone, machine)
        return drill.of(job, spec, paths.job(job).snapshot(taken.id).root, taken, keys, inputs)


def try_command(spec: "JobSpec", seconds: float, config: Path) -> "Tryout":
    """Run a command on this machine, undisturbed and frozen half-way; what the file *config* lets containers see, its container sees.

    Raises:
        TrialFailed: it cannot be tried.
        BadConfig: *config* cannot be read.
    """
    from idleq.scheduler.agent.main import alone_here
    from idleq.scheduler.agent.trial import Trial
    from idleq.scheduler.config import load_config

    with alone_here(load_config(config).containers.roots, seconds) as alone:
        return Trial(alone).of(spec)


def publish(paths: "ServerPaths", done: "Iterable[tuple[JobId, Fence]]") -> None:
    """Do in *paths* what a daemon of one user does by itself: let each job's result lead to what that segment left, and drop its snapshots."""
    from idleq.scheduler.results import LinkedResults

    results = LinkedResults(paths)
    for job, fence in done:
        results.publish(job, fence)


def survey_slurm() -> "Survey":
    """Return what the Slurm of this machine is like; raise SlurmAway, SlurmRefused or SlurmUnreadable if it cannot be asked."""
    import getpass

    from idleq.scheduler.slurm import commandline, surveying

    return surveying.survey_site(commandline.run, getpass.getuser())


@contextmanager
def _service(paths: "ServerPaths", cluster: str | None) -> Iterator["Service"]:
    """Put a daemon together, holding the lock of its server directory."""
    from idleq.scheduler.clock import SteadyClock, SystemClock
    from idleq.scheduler.errors import Superseded
    from idleq.scheduler.lock import Owner, hold
    from idleq.scheduler.logs import make_log, open_log, taking_in_libraries
    from idleq.scheduler.results import JournalledResults, LinkedResults
    from idleq.scheduler.service import Parts, Service

    paths.create()
    config = _config(paths, cluster)
    with (
        hold(paths.lock, Owner.this_process(), patience_ms=config.server.takeover_ms) as pulse,
        _journal(paths, config, create=True) as journal,
        open_log(paths.log) as log_file,
        taking_in_libraries(log := make_log(sys.stderr if sys.stderr.isatty() else log_file)),
    ):
        epoch = journal.begin_epoch()
        clock = SystemClock(floor=journal.last_at())
        poll_ms, calm_ms = _pace(config)
        service = Service(
            Parts(
                paths=paths,
                config=config,
                journal=journal,
                cluster=_cluster(paths, config, clock),
                results=JournalledResults() if config.server.shared else LinkedResults(paths),
                clock=clock,
                steady=SteadyClock(),
                log=log,
                poll_ms=poll_ms,
                calm_ms=calm_ms,
                epoch=epoch,
                check=pulse.check,
            )
        )
        pulse.tell(service.stop)
        try:
            yield service
            pulse.check()
        except Superseded as error:
            log.error("daemon.superseded", reason=str(error))  # noqa: TRY400 - where it happened says nothing
            raise


def _config(paths: "ServerPaths", cluster: str | None) -> "Config":
    """Return what config.toml says; *cluster* overrules its kind, and keeps its settings if they are of that kind."""
    from idleq.scheduler.config import CLUSTERS, load_config
    from idleq.scheduler.errors import BadConfig

    config = load_config(paths.config)
    if cluster is None:
        return config
    if cluster not in CLUSTERS:
        message = f"there is no cluster {cluster!r}: it may be {' or '.join(sorted(CLUSTERS))}"
        raise BadConfig(message)
    is_that = type(config.cluster) is CLUSTERS[cluster]
    return config if is_that else replace(config, cluster=CLUSTERS[cluster]())


@contextmanager
def _journal(paths: "ServerPaths", config: "Config", *, create: bool) -> Iterator["Journal"]:
    from idleq.scheduler.store.database import sqlite_url
    from idleq.scheduler.store.journal import Journal

    journal = Journal.open(config.server.database or sqlite_url(paths.journal), create=create)
    try:
        yield journal
    finally:
        journal.close()


def _cluster(paths: "ServerPaths", config: "Config", clock: "Clock") -> "Cluster":
    """Return the cluster that *config* names, which is there then."""
    from idleq.scheduler.config import EmbeddedSettings, LocalSettings, SlurmSettings
    from idleq.simulator.beginning import begin, refuse_while_agents_live

    match config.cluster:
        case SlurmSettings():
            refuse_while_agents_live(paths.cluster)
            return _slurm(paths, config, config.cluster, clock)
        case LocalSettings() | EmbeddedSettings():
            cluster = _embedded_cluster(paths.root)
            begin(paths.root, _world(paths, config, config.cluster, clock.now()), cluster.stop)
            return cluster


def _pace(config: "Config") -> tuple[Millis, Millis]:
    """Return how often the cluster is asked, and how often while nothing changes; agents' files are read in the same rounds."""
    from idleq.scheduler.config import SlurmSettings

    if isinstance(config.cluster, SlurmSettings):
        return config.cluster.poll_ms, config.cluster.poll_ms
    return POLL_MS, CALM_MS if config.transport == "api" else POLL_MS


def _slurm(paths: "ServerPaths", config: "Config", settings: "SlurmSettings", clock: "Clock") -> "Cluster":
    from idleq.scheduler.agent.arguments import snapshot_arguments
    from idleq.scheduler.config import check_that_nodes_reach
    from idleq.scheduler.sitefolder import SiteFolder
    from idleq.scheduler.slurm.assembly import slurm_cluster
    from idleq.scheduler.slurm.batch import NODE, SCRATCH, UNTIL

    if config.transport == "api":
        check_that_nodes_reach(config.server)
    shared = SiteFolder(Path(config.server.shared)) if config.server.shared else None
    if shared is not None:
        shared.create()

    def agent(command: "RequestAllocation") -> tuple[str, ...]:
        room = command.resources
        return _idleq(
            paths.root if shared is None else shared.of(command.user).root,
            *("agent", "--allocation", command.allocation, "--node", NODE, "--scratch", SCRATCH, "--until", UNTIL),
            *("--cores", str(room.cores), "--memory", str(room.memory), "--gpus", str(room.gpus)),
            *("--grace", str(config.policy.grace_ms), "--transport", config.transport),
            *snapshot_arguments(paths, config),
        )

    return slurm_cluster(settings, config.policy, paths, agent, clock, serves_site=shared is not None)


def _embedded_cluster(server_dir: Path) -> "EmbeddedCluster":
    from idleq.simulator.embedded import EmbeddedCluster

    return EmbeddedCluster(server_dir, _idleq(server_dir, "cluster", "run"))


def _world(
    paths: "ServerPaths", config: "Config", cluster: "LocalSettings | EmbeddedSettings", start: Millis
) -> "ClusterSettings":
    import psutil

    from idleq.scheduler.agent.arguments import NICEST, snapshot_arguments
    from idleq.scheduler.config import EmbeddedSettings, LocalSettings
    from idleq.scheduler.core.policy import HOUR
    from idleq.scheduler.core.resources import Resources
    from idleq.simulator.jobs import numbered_nodes
    from idleq.simulator.settings import ClusterSettings, MainLoad, local_settings

    argv = _idleq(paths.root, *AGENT_ARGUMENTS, "--transport", config.transport, *snapshot_arguments(paths, config))
    match cluster:
        case LocalSettings(cores=cores, memory_bytes=memory):
            total = psutil.virtual_memory().total
            node = Resources(cores or len(os.sched_getaffinity(0)), memory or total - total // OWNERS_SHARE)
            argv += ("--niceness", str(NICEST))
            return local_settings(start=start, agent_argv=argv, node=node, grace_ms=config.policy.grace_ms)
        case EmbeddedSettings():
            return ClusterSettings(
                start=start,
                nodes=numbered_nodes(cluster.nodes, Resources(cluster.cores, cluster.memory_bytes)),
                agent_argv=argv,
                seed=cluster.seed,
                grace_ms=cluster.grace_ms,
                main=MainLoad.TRACE if cluster.trace else MainLoad(cluster.main_jobs),
                load=cluster.load,
                mean_run_ms=Millis(max(round(HOUR / cluster.speed), 1)),
                trace=str(paths.root / cluster.trace) if cluster.trace else "",
                speed_up=max(round(cluster.speed), 1),
                slow_down=max(round(1 / cluster.speed), 1),
            )


def _idleq(server_dir: Path, *arguments: str) -> tuple[str, ...]:
    """Return how idleq starts itself for *server_dir*."""
    return (sys.executable, "-m", "idleq", "--server-dir", str(server_dir), *arguments)
