"""What a guest's runtime is asked for: a plain process sees the node as it is, a container its image and what it is shown."""

import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from idleq.migration.errors import EngineMissing, ProgramMissing
from idleq.migration.mounting import checked
from idleq.migration.ports import INSIDE, Mount, Order, RuntimeName
from idleq.migration.process import NOT_FOUND
from idleq.scheduler.agent.folders import Folders, argv_of, environment_of
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
        ProgramMissing: this node lacks the folder that it is to start in.
        EngineMissing: this node has nothing that runs it.
    """
    return _contained(guest, segment, own, roots) if guest.launch.spec.image else _plain(guest, segment, own)


def runtime_of(spec: JobSpec, find: Callable[[str], str | None] = shutil.which) -> RuntimeName:
    """Return what is to run *spec*; *find* tells where a program is.

    Raises:
        EngineMissing: nothing here runs images.
    """
    match spec.runtime:
        case RuntimeWish.AUTO if spec.image:
            for engine in ENGINES:
                if find(engine):
                    return engine
            raise EngineMissing(
                f"neither {' nor '.join(ENGINES)} is on this node, and the job is the image {spec.image!r}"
            )
        case RuntimeWish.AUTO | RuntimeWish.PROCESS:
            return RuntimeName.PROCESS
        case RuntimeWish.PODMAN:
            return RuntimeName.PODMAN
        case RuntimeWish.DOCKER:
            return RuntimeName.DOCKER


def engine_of(guest: Guest) -> RuntimeName:
    """Return what runs *guest*: what froze it, if that is known; raise EngineMissing if this node has nothing."""
    thaw_from = guest.launch.thaw_from
    bound_to = None if thaw_from is None else thaw_from.bound_to
    if bound_to is not None and bound_to.runtime:
        return RuntimeName(bound_to.runtime)
    return runtime_of(guest.launch.spec)


def _plain(guest: Guest, segment: SegmentPaths, own: Mapping[str, str]) -> Order:
    launch = guest.launch
    seen = SEEN if guest.is_enclosed else guest.folders
    return Order(
        name=guest.name,
        argv=argv_of(launch.spec, sys.executable),
        environment=environment_of(launch.job, launch.spec, seen, guest.share.gpus, own),
        folder=_start_of(launch.spec, seen),
        stdout=segment.stdout,
        stderr=segment.stderr,
        cores=guest.share.cores,
        mounts=_own_folders(guest) if guest.is_enclosed else (),
        may_freeze=guest.is_enclosed,
    )


def _start_of(spec: JobSpec, seen: Folders) -> Path:
    """Return where a plain process starts; a folder that its job names and the node lacks is the job's fault, as a missing program is."""
    if not spec.workdir:
        return seen.output
    if not Path(spec.workdir).is_dir():
        raise ProgramMissing(f"it is to start in {spec.workdir!r}, which is no folder on this node", NOT_FOUND)
    return Path(spec.workdir)


def _own_folders(guest: Guest) -> list[Mount]:
    given = guest.folders.input
    own = [Mount(source=one, target=INSIDE / one.name, is_writable=True) for one in guest.folders.mounted]
    return own if guest.launch.spec.inputs is None else [*own, Mount(source=given, target=INSIDE / given.name)]


def _contained(guest: Guest, segment: SegmentPaths, own: Mapping[str, str], roots: Collection[str]) -> Order:
    spec = guest.launch.spec
    # The node's PATH and HOME lead nowhere in an image.
    kept = {name: own[name] for name in ("LANG",) if name in own} | {"HOME": str(SEEN.temporary)}
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
        runtime=engine_of(guest),
        image=spec.image,
        mounts=(*_own_folders(guest), *shown),
        memory=spec.resources.memory,
        core_time=None if guest.share.cores else spec.resources.cores,
        may_freeze=guest.is_enclosed,
    )
