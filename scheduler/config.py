"""What a site's person can set in config.toml, and what holds where they set nothing."""

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from idleq.ids import Millis
from idleq.scheduler.core.commands import Sharing
from idleq.scheduler.core.policy import MINUTE, Policy
from idleq.scheduler.errors import BadConfig
from idleq.scheduler.images import parse_image
from idleq.scheduler.keys import keys, read_settings, read_table, refuse_unknown, words_of
from idleq.scheduler.mounts import parse_path

GIGABYTE = 2**30
POLICY = Policy()

SLURM_BEGIN_MS = Millis(15_000)
"""`policy.begin` on Slurm: 2 to 4 s were measured, and Python comes late from a shared folder that is cold."""

DATABASES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")
"""How a database's URL may begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the daemon listens and keeps its journal.

    Attributes:
        address: where the daemon listens; only this machine by default, as nobody else needs to reach it until agents do.
        port: 0 takes any that is free; the clients find it in the server directory.
        database: where the journal is; journal.db in the server directory by default, which needs no set-up. A PostgreSQL URL is for server directories on a shared file system, where SQLite is not safe.
        takeover_ms: how long the daemon of another login node must have given no sign of life before this one takes its place.
        transport: how agents and the daemon talk: "api" is quicker; "spool" needs nothing but shared files, for nodes that cannot reach the login node; "auto" is "spool" on Slurm and "api" elsewhere.
        shared: for a daemon that serves all users of a site: the folder, seen by all nodes, below which each of them has one of their own; what is not set is a daemon of one user.
    """  # fmt: skip

    address: str = "127.0.0.1"
    port: int = 0
    database: str = ""
    takeover_ms: Millis = Millis(30_000)
    transport: Literal["auto", "api", "spool"] = "auto"
    shared: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """This machine's own idle cores, without main jobs: guests run at the lowest priority, so they take what nobody else here uses.

    Attributes:
        cores: how many cores guests may use in all; all of this machine's where it is not set.
        memory_bytes: how much memory guests may use in all; three quarters of this machine's where it is not set, as its owner needs some too.
    """  # fmt: skip

    cores: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """A small made-up cluster on this machine, with main jobs of its own.

    Attributes:
        nodes: how many virtual nodes; with 4 there is nearly always a gap somewhere, and never everywhere.
        cores: the cores of each node.
        memory_bytes: the memory of each node.
        seed: of the main jobs; the same seed makes the same main jobs.
        load: how much of the cluster main jobs ask for; 1 is all of it. Sites run at 0.6 to 0.9.
        main_jobs: what main jobs are made up: "synthetic" ones come at random, by the load; "busy" ones leave gaps of 10 to 40 seconds on changing nodes, which is for watching.
        trace: a log in Standard Workload Format to take the main jobs from, relative to the server directory; none makes them up from the seed and the load.
        speed: how many seconds of the main jobs pass in one of ours, so that a day's trace can be watched in minutes; below 1, busy ones leave longer gaps.
        grace_ms: how long a guest has from the signal to its end; the policy's grace where it is not set, so that the policy believes what is so.
    """  # fmt: skip

    nodes: int = 4
    cores: int = 2
    memory_bytes: int = 2 * GIGABYTE
    seed: int = 1
    load: float = 0.7
    main_jobs: Literal["synthetic", "busy"] = "synthetic"
    trace: str = ""
    speed: float = 1.0
    grace_ms: Millis = POLICY.grace_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSettings:
    """A real cluster: its Slurm, asked by squeue, scontrol, sbatch and scancel, or by slurmrestd.

    Attributes:
        partition: where preemptible allocations go: one of a low tier, so that main jobs take its nodes back; Slurm's default where it is not set.
        window_partition: where windows go: one that holds the nodes of the gaps; Slurm's default where it is not set.
        qos: of all allocations; Slurm's default where it is not set.
        account: who is charged for all allocations; Slurm's default where it is not set.
        features: what nodes must have all of, as the site calls it, with commas between: a kind of CPU, so that guests can be thawed on each other's nodes. Any node will do where it is not set.
        nodes: "whole": guests go to idle nodes only. "shared": they also take the cores that main jobs leave of a node, whose caches, memory bandwidth and network they share then: a slowdown that nobody measures.
        format: how Slurm's commands are asked to answer: "json" from Slurm 23.02 on, "text" for any.
        rest: where slurmrestd listens, like "http://login:6820"; then it is asked and not Slurm's commands. The token goes there as it is: over https, or not over a network that others hear.
        bin: the folder of srun on the nodes, if it is neither a usual one nor that of srun here: what slurmrestd starts has only the search path that it is given.
        token_file: of slurmrestd's token (mode 0600); slurm.token in the server directory where it is not set.
        token_life_ms: of the tokens that the daemon makes by `scontrol token`, where it may; in its last quarter one is renewed.
        epilog_ms: what Slurm may need after a guest has left until a main job starts there (killing what is left, the site's epilog); part of the bound that harm is held against.
        poll_ms: between two looks at the cluster; each is four to eight questions to a controller that others need too.
    """  # fmt: skip

    partition: str = ""
    window_partition: str = ""
    qos: str = ""
    account: str = ""
    features: str = ""
    nodes: Literal["whole", "shared"] = "whole"
    format: Literal["json", "text"] = "json"
    rest: str = ""
    bin: str = ""
    token_file: str = ""
    token_life_ms: Millis = Millis(12 * 3_600_000)
    epilog_ms: Millis = Millis(10_000)
    poll_ms: Millis = Millis(5000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSettings:
    """What jobs in containers may have.

    Attributes:
        roots: the folders of the nodes of which a container may be shown something, by their full paths; none is the safe beginning. A guest reads there what the agent's user may read, so let nothing lie in them that is not for every job.
        image: the image that the named jobs run in; where it is not set they run as plain processes of the node's own Python.
    """  # fmt: skip

    roots: tuple[str, ...] = ()
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSettings:
    """How snapshots are kept.

    Attributes:
        compression: whether they are compressed (by zstd, with a checksum): "auto" where that makes them sooner done, by the measured speeds of the file system and of the compressor.
        key_file: of the keys that encrypt them (mode 0600), relative to the server directory: 64 hexadecimal digits a line, as `openssl rand -hex 32` makes them; the first encrypts, all of them decrypt. Nothing is encrypted where it is not set.
        quota_bytes: how much all of them may take: above it those go that jobs could do without, the oldest first, never the last good one of a job. No limit where it is not set.
        tidy_ms: how often the daemon looks for snapshots that nobody will thaw any more.
    """  # fmt: skip

    compression: Literal["auto", "on", "off"] = "auto"
    key_file: str = ""
    quota_bytes: int | None = None
    tidy_ms: Millis = Millis(600_000)


ClusterSettings = LocalSettings | EmbeddedSettings | SlurmSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings."""

    server: ServerSettings = ServerSettings()
    policy: Policy = POLICY
    cluster: ClusterSettings = LocalSettings()
    containers: ContainerSettings = ContainerSettings()
    snapshots: SnapshotSettings = SnapshotSettings()

    @property
    def transport(self) -> Literal["api", "spool"]:
        """How agents and the daemon talk."""
        if self.server.transport != "auto":
            return self.server.transport
        return "spool" if isinstance(self.cluster, SlurmSettings) and not self.server.shared else "api"


CLUSTERS: Mapping[str, type[ClusterSettings]] = {
    "local": LocalSettings,
    "embedded": EmbeddedSettings,
    "slurm": SlurmSettings,
}


def check_that_nodes_reach(server: ServerSettings) -> None:
    """Raise BadConfig if agents on other machines could not reach a daemon that listens there."""
    is_here_only = server.address == "localhost" or ipaddress.ip_address(server.address).is_loopback
    if is_here_only or ipaddress.ip_address(server.address).is_unspecified:
        raise BadConfig(
            f"server.address is {server.address}, and agents on other nodes cannot reach that: set it to this machine's address in"
            ' the network of the nodes, or server.transport to "spool"'
        )


def load_config(path: Path) -> Config:
    """Return what *path* says; no such file means that nothing is set.

    Raises:
        BadConfig: naming the file, the key and what is allowed.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} is not TOML: {error}") from error
    return parse_config(data, str(path))


def parse_config(data: Mapping[str, Any], source: str) -> Config:
    """Return what the tables of *data* say; *source* is named in errors.

    Raises:
        BadConfig: naming *source*, the key and what is allowed.
    """
    try:
        refuse_unknown(data, ("server", "policy", "cluster", "containers", "snapshots"), "")
        server = read_settings(ServerSettings, data, "server")
        policy = read_settings(Policy, data, "policy")
        containers = read_settings(ContainerSettings, data, "containers")
        snapshots = read_settings(SnapshotSettings, data, "snapshots")
        config = Config(
            server=server, policy=policy, cluster=_cluster(data, policy), containers=containers, snapshots=snapshots
        )
        _check_containers(containers)
        _check_server(server)
        if server.shared:
            _check_site(config)
            config = replace(config, policy=replace(policy, sharing=Sharing.USER))  # an allocation is one user's job
        if isinstance(config.cluster, SlurmSettings):
            if config.cluster.rest:
                _check_rest(config.cluster.rest)
            config = replace(config, policy=_as_slurm_counts(config.policy, read_table(data, "policy")))
        _check_lengths(config.policy)
    except ValueError as error:
        raise BadConfig(f"{source}: {error}") from None
    return config


def _as_slurm_counts(policy: Policy, table: Mapping[str, Any]) -> Policy:
    """Return *policy* with what is otherwise on Slurm than elsewhere, where *table* does not say it."""
    if "grain" in table and (policy.grain_ms < MINUTE or policy.grain_ms % MINUTE):
        raise ValueError("policy.grain: Slurm counts in whole minutes")
    return replace(
        policy,
        grain_ms=policy.grain_ms if "grain" in table else MINUTE,
        begin_ms=policy.begin_ms if "begin" in table else SLURM_BEGIN_MS,
    )


def _check_lengths(policy: Policy) -> None:
    if policy.min_gap_ms > policy.max_allocation_ms:
        raise ValueError("policy.min_gap is longer than policy.max_allocation, so no gap would ever be used")
    longest = policy.counted_ms(policy.max_allocation_ms)
    if longest < policy.min_gap_ms:
        raise ValueError(
            "policy.max_allocation is less than policy.min_gap once the site has cut it to whole policy.grain"
        )
    if longest <= policy.begin_ms:
        raise ValueError("policy.begin is all of policy.max_allocation, so nothing could ever run")


def _cluster(data: Mapping[str, Any], policy: Policy) -> ClusterSettings:
    table = dict(read_table(data, "cluster"))
    kind = table.pop("kind", "local")
    if not isinstance(kind, str) or kind not in CLUSTERS:
        raise ValueError(f"cluster.kind is {kind!r}; it may be {words_of(CLUSTERS)}")
    if kind == "embedded":
        table.setdefault("grace", f"{policy.grace_ms}ms")
    for name in sorted(table.keys() & keys(EmbeddedSettings).keys() - keys(CLUSTERS[kind]).keys()):
        raise ValueError(f'cluster.{name} is for cluster.kind = "embedded" only; this one is "{kind}"')
    return read_settings(CLUSTERS[kind], {"cluster": table}, "cluster")


def _check_server(server: ServerSettings) -> None:
    if server.address != "localhost":
        try:
            ipaddress.ip_address(server.address)
        except ValueError:
            raise ValueError(f'server.address: {server.address!r} is no IP address like "127.0.0.1"') from None
    if server.database and not server.database.startswith(DATABASES):
        # The URL may hold a password, so it is not repeated.
        raise ValueError(f"server.database: the URL does not begin with {words_of(DATABASES)}")


def _check_containers(containers: ContainerSettings) -> None:
    try:
        for root in containers.roots:
            if parse_path(root) == "/":
                raise ValueError("/ would show containers all of the node, the server directory included")
    except ValueError as error:
        raise ValueError(f"containers.roots: {error}") from None
    try:
        if containers.image:
            parse_image(containers.image)
    except ValueError as error:
        raise ValueError(f"containers.image: {error}") from None


def _check_site(config: Config) -> None:
    """What a daemon of many users cannot do without: agents run as those users, who can read nothing of the server directory."""
    if not Path(config.server.shared).is_absolute():
        raise ValueError(
            f'server.shared is {config.server.shared!r}: all nodes must find it, so name it from the root, like "/shared/idleq"'
        )
    if not isinstance(config.cluster, SlurmSettings) or not config.cluster.rest:
        raise ValueError(
            "server.shared is for a Slurm that is asked by slurmrestd, since jobs are submitted in each user's name:"
            ' set cluster.kind = "slurm" and cluster.rest'
        )
    if config.server.transport == "spool":
        raise ValueError('server.transport = "spool" is for the agents of one user; with server.shared it is "api"')


def _check_rest(url: str) -> None:
    wrong = f'cluster.rest: {url!r} is no address like "http://HOST:6820" or "https://HOST:PORT"'
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # it has a port that is none, or half of brackets
        raise ValueError(wrong) from None
    if not is_right:
        raise ValueError(wrong)
