"""What `idleq doctor` looks at where config.toml names a Slurm cluster, and on a node inside one of its allocations."""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from idleq.cli.checks import Check, Health
from idleq.cli.session import Session
from idleq.errors import IdleqError
from idleq.ids import NodeName
from idleq.scheduler.config import Config, SlurmSettings
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.prospects import listed
from idleq.scheduler.slurm.finding import Finding

SHARED = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs", "lustre"}
    | {"nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "virtiofs", "wekafs"}
)
"""Kinds of file systems that several machines can have; of any other only a node can say whether it sees the same."""


ON_NODES = ("server directory", "python")
"""What nodes have to see."""

NODE_NAME = "SLURMD_NODENAME"
"""Slurm sets it for what runs on a node; SLURM_JOB_ID is also set where `salloc` was typed."""


def is_on_a_node(session: Session) -> bool:
    """Whether this is a node of the configured Slurm, inside an allocation; one that sees no server directory is taken for one."""
    from idleq.scheduler.config import load_config

    if NODE_NAME not in session.environment:
        return False
    try:
        return not session.paths.root.exists() or isinstance(load_config(session.paths.config).cluster, SlurmSettings)
    except IdleqError:
        return False


def slurm_checks(session: Session, *, is_on_node: bool) -> Iterator[Check]:
    """Look at the configured Slurm, or at this node of it; nothing where the configuration names another kind of cluster."""
    from idleq.bootstrap import survey_slurm
    from idleq.scheduler.config import load_config
    from idleq.scheduler.slurm.findings import findings

    try:
        config = load_config(session.paths.config)
    except IdleqError as error:
        yield Check(name="configuration", health=Health.PROBLEM, found=str(error), advice="mend config.toml")
        return
    settings = config.cluster
    if is_on_node:
        yield from on_a_node(session.environment, session.paths.root, Path("/proc/self/cgroup"))
    elif isinstance(settings, SlurmSettings):
        try:
            survey = survey_slurm()
        except IdleqError as error:
            health = Health.WARNING if settings.rest else Health.PROBLEM  # the daemon itself may need no commands
            yield Check(name="slurm", health=health, found=str(error), advice="run it where Slurm's commands are")
            return
        yield from map(check_of, findings(survey, settings, config.policy))
        yield from seen_by_nodes(config, settings, session.paths.root, kinds_of_mounts(), hosts(session))


def check_of(finding: Finding) -> Check:
    """Return what was found as a check."""
    return Check(
        name=f"slurm: {finding.name}",
        health=Health(finding.weight.value),
        found=finding.found,
        advice=finding.advice,
        lines=finding.lines,
    )


def hosts(session: Session) -> tuple[NodeName, ...]:
    """Return the nodes on which agents of the daemon have come up; none where it does not answer, which another check tells."""
    try:
        return tuple(node.name for node in session.client().nodes() if node.has_hosted)
    except IdleqError:
        return ()


def seen_by_nodes(
    config: Config, settings: SlurmSettings, root: Path, mounts: Mapping[Path, str], known: Sequence[NodeName] = ()
) -> Iterator[Check]:
    """Whether nodes can see the server directory and this Python: only a node can say, so how to ask one is said.

    An agent that came up on one of those that are *known* has said so by that, for this node.
    """
    partition = settings.partition if config.policy.mode is Mode.PREEMPTIBLE else settings.window_partition
    named = (("partition", partition), ("qos", settings.qos), ("account", settings.account))
    where = [f"--{option}={value}" for option, value in named if value]
    ask = shlex.join(
        ["srun", *where, "--ntasks=1", "--time=1", sys.executable, "-m", "idleq", "--server-dir", str(root), "doctor"]
    )
    if known:
        found = f"agents came up on {listed(known)}: these nodes see what the daemon's agents need"
        advice = f"to be sure of another ask it, which takes an allocation: {ask}"
        for name in ON_NODES:
            yield Check(name=f"slurm: {name} on nodes", health=Health.OK, found=found, advice=advice)
        return
    for name, place in zip(ON_NODES, (root, Path(sys.executable)), strict=True):
        kind = kind_at(place.absolute(), mounts)
        is_shared = kind in SHARED
        yield Check(
            name=f"slurm: {name} on nodes",
            health=Health.OK if is_shared else Health.WARNING,
            found=f"{place} is on {kind or 'an unknown file system'}{'' if is_shared else ', which nodes may not see'}",
            advice=f"to be sure ask a node, which takes an allocation: {ask}",
        )


def kind_at(place: Path, mounts: Mapping[Path, str]) -> str:
    """Return the kind of the file system that *place* is on, "" if no mount is above it."""
    return next((mounts[above] for above in (place, *place.parents) if above in mounts), "")


def kinds_of_mounts() -> dict[Path, str]:
    """Return the kind of each mounted file system of this machine."""
    import psutil

    return {Path(mount.mountpoint): mount.fstype for mount in psutil.disk_partitions(all=True)}


def on_a_node(environment: Mapping[str, str], root: Path, own_group: Path) -> Iterator[Check]:
    """Whether this node, inside an allocation, has what agents need."""
    node = environment.get(NODE_NAME, "this node")
    if root.is_dir():
        yield Check(name="node: server directory", health=Health.OK, found=f"{node} sees {root}")
    else:
        yield Check(
            name="node: server directory",
            health=Health.PROBLEM,
            found=f"{node} does not see {root}",
            advice="set IDLEQ_SERVER_DIR to a folder that all nodes share",
        )
    yield Check(name="node: python", health=Health.OK, found=f"{node} runs {sys.executable}")
    yield control_group(_read(own_group), version=2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1)


def control_group(text: str, *, version: int) -> Check:
    """Whether the process whose /proc/self/cgroup is *text* is in a control group of its allocation's."""
    if "/job_" in text:
        return Check(name="node: containment", health=Health.OK, found=f"cgroup v{version}, in the allocation's group")
    return Check(
        name="node: containment",
        health=Health.WARNING,
        found=f"cgroup v{version}, in no group of the allocation's: guests may outlive it, or take more than its share",
        advice="let the admin set this line",
        lines=("ProctrackType=proctrack/cgroup",),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
