"""What a node can do, in words that agents say and snapshots and jobs ask for; and which of them a job lacks."""

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet

from idleq.scheduler.core.job import Job
from idleq.scheduler.core.submission import FreezeMethod, JobSpec, RuntimeWish

CRIU = "criu"
"""Plain processes can be frozen from outside, and go on from there."""

PODMAN, DOCKER = "podman", "docker"
"""It can run images by that engine."""

PODMAN_CRIU, DOCKER_CRIU, IMAGE_CRIU = "podman-criu", "docker-criu", "image-criu"
"""That engine freezes from outside there: for root alone, and docker only if it is told to. So does whichever runs an image that names none."""

FREEZING = {RuntimeWish.PODMAN: PODMAN_CRIU, RuntimeWish.DOCKER: DOCKER_CRIU, RuntimeWish.AUTO: IMAGE_CRIU}
"""Which of these an image needs to be frozen, by the engine that its job wants."""

_ENGINES = {RuntimeWish.PODMAN: PODMAN, RuntimeWish.DOCKER: DOCKER}
_WORDS = {
    CRIU: "it cannot freeze by criu",
    PODMAN_CRIU: "its podman freezes only for agents that are root",
    DOCKER_CRIU: "its docker freezes only for agents that are root, and with experimental in its daemon.json",
    IMAGE_CRIU: "no engine there freezes: they do for agents that are root, and docker with experimental in its daemon.json",
}


def needs_of(spec: JobSpec, job: Job | None) -> tuple[str, ...]:
    """Return what a node must be able to do for *job* (None: a fresh one of *spec*) to start or go on there."""
    had = job.snapshots[-1].needs if job is not None and job.snapshots else ()
    wanted = [CRIU] if spec.freeze is FreezeMethod.CRIU else []
    if spec.runtime in _ENGINES:
        wanted.append(_ENGINES[spec.runtime])
    if spec.freeze is FreezeMethod.CRIU and spec.image and spec.runtime in FREEZING:
        wanted.append(FREEZING[spec.runtime])
    return tuple(dict.fromkeys((*had, *wanted))) if had or wanted else ()


def can_freeze(abilities: Collection[str], spec: JobSpec) -> bool:
    """Whether a node of these *abilities* can freeze jobs of *spec* from outside."""
    engine = FREEZING.get(spec.runtime) if spec.image else None
    return CRIU in abilities and (engine is None or engine in abilities)


def lacking(abilities: AbstractSet[str], spec: JobSpec, job: Job | None) -> Iterator[str]:
    """Yield, for people, what keeps it from starting on a node of these *abilities*."""
    for word in needs_of(spec, job):
        if word not in abilities:
            yield _WORDS.get(word, f"it has no {word}")
