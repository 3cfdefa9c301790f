"""What an embedded cluster is made of: written once, so that its process can build the same world again and again."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from idleq.ids import Millis
from idleq.scheduler.atomic import write_atomically
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.plain import from_json, to_json
from idleq.simulator.errors import BadSettings
from idleq.simulator.jobs import MainJob, NodeSpec, numbered_nodes, scaled
from idleq.simulator.placement import SizeUnit
from idleq.simulator.swf import clean, read_swf
from idleq.simulator.synthetic import Stream, busy_cluster, synthetic

FORMAT = 1


class MainLoad(StrEnum):
    """Where the cluster's main jobs come from."""

    #: Gaps of 10 to 40 seconds on changing nodes (synthetic.busy_cluster).
    BUSY = "busy"
    #: Poisson arrivals at a given load (synthetic.synthetic).
    SYNTHETIC = "synthetic"
    #: A real log, compressed in time.
    TRACE = "trace"
    #: None: the nodes' own idle hours.
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """All that a cluster's process needs to know.

    Attributes:
        start: engine time at the world's start.
        seed: of the main jobs.
        nodes: what there is.
        grace_ms: what guests get between the signal and the end.
        agent_argv: how an agent is started; see live.agent_argv for the words in braces.
        main: where main jobs come from.
        load: for synthetic ones, the share of the nodes' time that they ask for.
        mean_run_ms: for synthetic ones, how long they run.
        trace: for a real log, its file; one processor of the log is one node here, or one core if nodes are shared.
        speed_up: for a real log, how many times faster than life it goes by.
        slow_down: for busy ones, how many times longer everything takes: on a slow machine guests need longer gaps.
        skip_ms: for a real log, how much of its beginning is left out (of its own time).
        sharing: what a main job's size counts.
        format: the version of this file's form.
    """

    start: Millis
    nodes: tuple[NodeSpec, ...]
    agent_argv: tuple[str, ...]
    seed: int = 1
    grace_ms: Millis = Millis(5_000)
    main: MainLoad = MainLoad.BUSY
    load: float = 0.7
    mean_run_ms: Millis = Millis(60_000)
    trace: str = ""
    speed_up: int = 100
    slow_down: int = 1
    skip_ms: Millis = Millis(0)
    sharing: SizeUnit = SizeUnit.NODES
    format: int = FORMAT


def busy_settings(
    *,
    start: Millis,
    agent_argv: tuple[str, ...],
    nodes: int = 4,
    node: Resources,
    seed: int = 1,
    grace_ms: Millis = Millis(5_000),
) -> ClusterSettings:
    """Return the small busy cluster of the demonstration."""
    specs = numbered_nodes(nodes, node)
    return ClusterSettings(start=start, nodes=specs, agent_argv=agent_argv, seed=seed, grace_ms=grace_ms)


def local_settings(
    *, start: Millis, agent_argv: tuple[str, ...], node: Resources, grace_ms: Millis = Millis(30_000)
) -> ClusterSettings:
    """Return this machine as a cluster of one node without main jobs; *node* is what of it may be used."""
    specs = numbered_nodes(1, node)
    return ClusterSettings(start=start, nodes=specs, agent_argv=agent_argv, grace_ms=grace_ms, main=MainLoad.NONE)


def write_settings(server_dir: Path, settings: ClusterSettings) -> None:
    """Write *settings* for the cluster of *server_dir*, whole or not at all.

    Raises:
        BadSettings: no world can be made of them, or they cannot be written.
    """
    _check(settings)
    path = ServerPaths(server_dir).cluster.settings
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, to_json(settings))
    except OSError as error:
        raise BadSettings(f"{path} cannot be written: {error.strerror or error}") from error


def read_settings(server_dir: Path) -> ClusterSettings:
    """Return what `write_settings` wrote.

    Raises:
        BadSettings: there are none, or they are not what this version reads.
    """
    path = ServerPaths(server_dir).cluster.settings
    try:
        settings = from_json(path.read_bytes(), ClusterSettings)
    except FileNotFoundError:
        raise BadSettings(f"there is no {path}: the daemon writes it when it makes the cluster") from None
    except (OSError, BadMessage) as error:
        raise BadSettings(f"{path} cannot be used: {error}") from error
    _check(settings)
    return settings


def main_jobs(settings: ClusterSettings) -> Iterator[MainJob]:
    """Return the cluster's main jobs, the same every time; times in milliseconds from the world's start."""
    match settings.main:
        case MainLoad.NONE:
            return iter(())
        case MainLoad.BUSY:
            return scaled(busy_cluster(len(settings.nodes), settings.seed), settings.slow_down)
        case MainLoad.SYNTHETIC:
            return synthetic(_stream(settings), settings.seed)
        case MainLoad.TRACE:
            return _from_trace(settings)


def _stream(settings: ClusterSettings) -> Stream:
    count = len(settings.nodes)
    return Stream(
        nodes=count,
        load=settings.load,
        sizes={1: 8, max(1, count // 4): 4, max(1, count // 2): 2, count: 1},
        mean_run_ms=settings.mean_run_ms,
        longest_run_ms=20 * settings.mean_run_ms,
        round_limit_ms=1_000,
    )


def _from_trace(settings: ClusterSettings) -> Iterator[MainJob]:
    units = sum(1 if settings.sharing is SizeUnit.NODES else node.resources.cores for node in settings.nodes)
    jobs = clean(read_swf(Path(settings.trace)), units).jobs
    skip = settings.skip_ms // 1000
    first = jobs[0].submit + skip
    later = (job for job in jobs if job.submit >= first)
    shifted = (
        MainJob(id=job.id, submit=job.submit - first, run=job.run, limit=job.limit, size=job.size) for job in later
    )
    return scaled(shifted, 1000, settings.speed_up)


def _check(settings: ClusterSettings) -> None:
    names = [node.name for node in settings.nodes]
    wrong = {
        "it is written by another version of idleq": settings.format != FORMAT,
        "a cluster needs at least one node": not names,
        "two nodes have the same name": len(set(names)) < len(names),
        "every node needs at least one core": any(node.resources.cores < 1 for node in settings.nodes),
        "the grace cannot be negative": settings.grace_ms < 0,
        "the load must be above 0": settings.load <= 0,
        "the mean run time must be above 0": settings.mean_run_ms <= 0,
        "the trace cannot be slowed down: speed_up is at least 1": settings.speed_up < 1,
        "slow_down is at least 1": settings.slow_down < 1,
        "main jobs from a trace need its file": settings.main is MainLoad.TRACE and not settings.trace,
        "agents need a command": not settings.agent_argv,
    }
    for problem, is_so in wrong.items():
        if is_so:
            raise BadSettings(f"the cluster's settings cannot be used: {problem}")
