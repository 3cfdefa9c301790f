"""What a node can do, in words that agents say and snapshots and jobs ask for; and which of them a job lacks."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from idleq.scheduler.core.job import Job
from idleq.scheduler.core.submission import FreezeMethod, JobSpec, RuntimeWish

CRIU = "criu"
"""Plain processes can be frozen from outside, and go on from there."""

PODMAN, DOCKER = "podman", "docker"
"""It can run images by that engine."""

DOCKER_CRIU, IMAGE_CRIU = "docker-criu", "image-criu"
"""Docker freezes from outside there, which it does not unless it is told to; so does whatever engine runs an image that names none."""

_ENGINES = {RuntimeWish.PODMAN: PODMAN, RuntimeWish.DOCKER: DOCKER}
_FREEZING = {RuntimeWish.DOCKER: DOCKER_CRIU, RuntimeWish.AUTO: IMAGE_CRIU}
_WORDS = {
    CRIU: "it cannot freeze by criu",
    DOCKER_CRIU: "its docker freezes nothing until experimental is true in its daemon.json",
    IMAGE_CRIU: "it has no podman, and no docker that freezes",
}


def needs_of(spec: JobSpec, job: Job | None) -> tuple[str, ...]:
    """Return what a node must be able to do for *job* (None: a fresh one of *spec*) to start or go on there."""
    had = job.snapshots[-1].needs if job is not None and job.snapshots else ()
    wanted = [CRIU] if spec.freeze is FreezeMethod.CRIU else []
    if spec.runtime in _ENGINES:
        wanted.append(_ENGINES[spec.runtime])
    if spec.freeze is FreezeMethod.CRIU and spec.image and spec.runtime in _FREEZING:
        wanted.append(_FREEZING[spec.runtime])
    return tuple(dict.fromkeys((*had, *wanted)))


def lacking(abilities: AbstractSet[str], spec: JobSpec, job: Job | None) -> Iterator[str]:
    """Yield, for people, what keeps it from starting on a node of these *abilities*."""
    for word in needs_of(spec, job):
        if word not in abilities:
            yield _WORDS.get(word, f"it has no {word}")
