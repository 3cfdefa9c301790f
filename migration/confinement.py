"""A container as an engine is asked for it: what an order says, and what it may do on its node, which is next to nothing.

Pure values: the same for podman's command line and for docker's API, so that both confine a guest alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idleq.migration.ports import MARK, Mount, Order

MOST_PROCESSES = 4096
"""A fork bomb ends here; data loaders and thread pools do not."""

TEMPORARY = "/tmp"  # noqa: S108 - the container's own
TEMPORARY_OPTIONS = "rw,nosuid,nodev,mode=1777"
"""All of the root that can be written, and in memory: it counts as the container's memory, and a freeze takes it along."""

MARK_LABEL = "org.idleq.mark"
OWNER_LABEL = "org.idleq.owner"
KEEPER_LABEL = "org.idleq.keeper"
"""Who has started or thawed it and takes its end, as `processes.keeper` says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """One container.

    Attributes:
        image: what it sees as its root, which it cannot write.
        argv: the program and its arguments; the image's entry point is not used.
        environment: all that is set beside the image's own.
        folder: where it starts.
        mounts: what it sees besides.
        user: the numbers of user and group that it runs as, with a colon between.
        labels: by which it is found again.
        memory: the bytes that it is limited to; None for no such limit.
        cores: the only cores it may use; empty for no such limit.
        core_time: how many cores' worth of time it is limited to; None for no such limit.
        cgroup_parent: the control group that it is put below, so that what ends its allocation ends it too; empty for the engine's own.
    """

    image: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    mounts: tuple[Mount, ...]
    user: str
    labels: Mapping[str, str]
    memory: int | None
    cores: frozenset[int]
    core_time: int | None
    cgroup_parent: str


def confine(order: Order, *, whose: str, owner: str, keeper: str, user: str, cgroup_parent: str) -> Confinement:
    """Return *order* as an engine is asked for it; *whose* tells one caller from another, *owner* outlives the caller, which is *keeper*."""
    mark = f"{order.name}/{whose}"
    return Confinement(
        image=order.image,
        argv=tuple(order.argv),
        environment={**order.environment, MARK: mark},
        folder=str(order.folder),
        mounts=tuple(order.mounts),
        user=user,
        labels={MARK_LABEL: mark, OWNER_LABEL: owner, KEEPER_LABEL: keeper},
        memory=order.memory,
        cores=order.cores,
        core_time=order.core_time,
        cgroup_parent=cgroup_parent,
    )


def docker_request(container: Confinement) -> dict[str, Any]:
    """Return the body by which docker's engine is asked to create *container*."""
    return {
        "Image": container.image,
        "Entrypoint": [container.argv[0]],
        "Cmd": list(container.argv[1:]),
        "Env": [f"{name}={value}" for name, value in sorted(container.environment.items())],
        "WorkingDir": container.folder,
        "User": container.user,
        "Labels": dict(container.labels),
        "Healthcheck": {"Test": ["NONE"]},
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "NetworkMode": "none",
            "IpcMode": "private",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "Tmpfs": {TEMPORARY: TEMPORARY_OPTIONS},
            "PidsLimit": MOST_PROCESSES,
            "CpusetCpus": ",".join(map(str, sorted(container.cores))),
            "CgroupParent": container.cgroup_parent,
            "LogConfig": {"Type": "none"},
            "RestartPolicy": {"Name": "no"},
            "Mounts": [_docker_mount(mount) for mount in container.mounts],
            **({"NanoCpus": container.core_time * 10**9} if container.core_time else {}),
            **({"Memory": container.memory, "MemorySwap": container.memory} if container.memory else {}),
        },
    }


def _docker_mount(mount: Mount) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(mount.source),
        "Target": str(mount.target),
        "ReadOnly": not mount.is_writable,
        "BindOptions": {"Propagation": "rprivate"},
    }
