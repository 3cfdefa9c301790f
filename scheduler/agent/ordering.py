"""What a guest's runtime is asked for: a plain process sees the node as it is, a container its image and what it is shown."""

import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from idleq.migration.errors import StartFailed
from idleq.migration.mounting import checked
from idleq.migration.ports import Mount, Order, RuntimeName
from idleq.scheduler.agent.folders import INSIDE, Folders, argv_of, environment_of
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.core.submission import JobSpec, RuntimeWish
from idleq.scheduler.paths import SegmentPaths

SEEN = Folders(INSIDE)
"""A guest's folders as it sees them in its container: the same on every node, since a program that is thawed remembers them."""

IMAGES_PYTHON = "python3"

ENGINES = (RuntimeName.PODMAN, RuntimeName.DOCKER)
"""Which are taken where the job says nothing, the first that is there."""


def order_of(guest: Guest, segment: SegmentPaths, own: Mapping[str, str], roots: Collection[str]) -> Order:
    """Return the order for *guest*, which prints to *segment*; *own* is the agent's environment, *roots* what may be shown of the node.

    Raises:
        MountRefused: it would be shown what it may not see.
        StartFailed: this node has nothing that runs it.
    """
    return _contained(guest, segment, own, roots) if guest.launch.spec.image else _plain(guest, segment, own)


def runtime_of(spec: JobSpec, find: Callable[[str], str | None] = shutil.which) -> RuntimeName:
    """Return what is to run *spec*; *find* tells where a program is.

    Raises:
        StartFailed: it is an image, and nothing here runs images.
    """
    match spec.runtime:
        case RuntimeWish.AUTO if spec.image:
            for engine in ENGINES:
                if find(engine):
                    return engine
            raise StartFailed(
                f"neither {' nor '.join(ENGINES)} is on this node, and the job is the image {spec.image!r}"
            )
        case RuntimeWish.AUTO | RuntimeWish.PROCESS:
            return RuntimeName.PROCESS
        case RuntimeWish.PODMAN:
            return RuntimeName.PODMAN
        case RuntimeWish.DOCKER:
            return RuntimeName.DOCKER


def _plain(guest: Guest, segment: SegmentPaths, own: Mapping[str, str]) -> Order:
    launch = guest.launch
    return Order(
        name=guest.name,
        argv=argv_of(launch.spec, sys.executable),
        environment=environment_of(launch.job, launch.spec, guest.folders, guest.share.gpus, own),
        folder=guest.folders.output,
        stdout=segment.stdout,
        stderr=segment.stderr,
        cores=guest.share.cores,
    )


def _contained(guest: Guest, segment: SegmentPaths, own: Mapping[str, str], roots: Collection[str]) -> Order:
    spec = guest.launch.spec
    # The node's PATH and HOME lead nowhere in an image.
    kept = {name: own[name] for name in ("LANG",) if name in own} | {"HOME": str(SEEN.temporary)}
    own_folders = [Mount(source=one, target=INSIDE / one.name, is_writable=True) for one in guest.folders.mounted]
    shown = [
        Mount(source=checked(Path(one.source), roots), target=Path(one.target), is_writable=one.is_writable)
        for one in spec.mounts
    ]
    return Order(
        name=guest.name,
        argv=argv_of(spec, IMAGES_PYTHON),
        environment=environment_of(guest.launch.job, spec, SEEN, guest.share.gpus, kept),
        folder=Path(spec.workdir) if spec.workdir else SEEN.output,
        stdout=segment.stdout,
        stderr=segment.stderr,
        cores=guest.share.cores,
        runtime=runtime_of(spec),
        image=spec.image,
        mounts=(*own_folders, *shown),
        memory=spec.resources.memory,
    )
