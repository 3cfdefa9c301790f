"""What a node can do, in words that agents say and snapshots and jobs ask for; and which of them a job lacks."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from idleq.scheduler.core.job import Job
from idleq.scheduler.core.submission import FreezeMethod, JobSpec, RuntimeWish

CRIU = "criu"
"""Plain processes can be frozen from outside, and go on from there."""

PODMAN, DOCKER = "podman", "docker"
"""It can run images by that engine."""


_ENGINES = {RuntimeWish.PODMAN: PODMAN, RuntimeWish.DOCKER: DOCKER}


def needs_of(spec: JobSpec, job: Job | None) -> tuple[str, ...]:
    """Return what a node must be able to do for *job* (None: a fresh one of *spec*) to start or go on there."""
    wanted = job.snapshots[-1].needs if job is not None and job.snapshots else ()
    if spec.freeze is FreezeMethod.CRIU and CRIU not in wanted:
        wanted = (*wanted, CRIU)
    engine = _ENGINES.get(spec.runtime)
    return (*wanted, engine) if engine is not None and engine not in wanted else wanted


def lacking(abilities: AbstractSet[str], spec: JobSpec, job: Job | None) -> Iterator[str]:
    """Yield, for people, what keeps it from starting on a node of these *abilities*."""
    for word in needs_of(spec, job):
        if word in abilities:
            continue
        if word == CRIU:
            yield "it cannot freeze by criu"
        else:
            yield f"it has no {word}"
