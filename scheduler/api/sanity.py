"""Descriptions of jobs that no operating system could run, or that ask for what no guest is given: refused before a node finds out.

Whoever has the token can send anything, so nothing is believed that the command line has checked already.
"""

import signal
from collections.abc import Collection

from idleq.scheduler.core.submission import JobSpec
from idleq.scheduler.errors import BadJobFile
from idleq.scheduler.images import parse_image
from idleq.scheduler.jobkeys import RESERVED, container_problem
from idleq.scheduler.mounts import check_allowed, check_together, parse_mount, parse_path
from idleq.scheduler.staging import check_inputs, check_patterns

UNCATCHABLE = ("SIGKILL", "SIGSTOP")
"""No workload can save itself on these."""


def check(spec: JobSpec, roots: Collection[str]) -> None:
    """Raise BadJobFile if *spec* cannot be handed to an operating system, or would show a container what is not below one of *roots*.

    Whether it fits a node is the engine's business.
    """
    texts = (spec.name, *spec.argv, *(part for pair in (*spec.environment, *spec.labels) for part in pair))
    if any("\0" in text for text in texts):
        raise BadJobFile(f"job {spec.name!r}: a name, an argument or a variable holds a NUL character")
    for name, _ in spec.environment:
        if not name or "=" in name:
            raise BadJobFile(f"job {spec.name!r}: {name!r} cannot be the name of a variable")
        if name in RESERVED:
            raise BadJobFile(f"job {spec.name!r}: {name} is set by idleq itself and cannot be given")
    if spec.signal not in signal.Signals.__members__ or spec.signal in UNCATCHABLE:
        raise BadJobFile(f"job {spec.name!r}: {spec.signal!r} is no signal that a workload can save itself on")
    try:
        _check_container(spec, roots)
        check_patterns(spec.outputs)
        if spec.inputs is not None:
            check_inputs(spec.inputs)
    except ValueError as error:
        raise BadJobFile(f"job {spec.name!r}: {error}") from None


def _check_container(spec: JobSpec, roots: Collection[str]) -> None:
    if problem := container_problem(spec):
        raise ValueError(problem)
    if spec.image:
        parse_image(spec.image)
    if spec.workdir:
        parse_path(spec.workdir)
    for mount in spec.mounts:
        if parse_mount(f"{mount.source}:{mount.target}:{'rw' if mount.is_writable else 'ro'}") != mount:
            raise ValueError(f"{mount.source!r} on {mount.target!r} is no mount")
    check_together(spec.mounts)
    check_allowed(spec.mounts, roots)
