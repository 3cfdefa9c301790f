"""What a node can do, in words that agents say and snapshots and jobs ask for, which images it was found to lack, and what that makes of it for a job."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from idleq.ids import Millis
from idleq.scheduler.core.job import Job
from idleq.scheduler.core.submission import FreezeMethod, JobSpec, RuntimeWish

CRIU = "criu"
"""Plain processes can be frozen from outside, and go on from there."""

PODMAN, DOCKER = "podman", "docker"
"""It can run images by that engine."""


LACKED_FOR = Millis(10 * 60_000)
"""Nobody tells when an image has come to a node: so long after it was found to lack it, it is looked for there again."""

_ENGINES = {RuntimeWish.PODMAN: PODMAN, RuntimeWish.DOCKER: DOCKER}


class Lack(NamedTuple):
    """An *image* that jobs of *user*, who wish for that *runtime*, did not find on a node: each user's engine may have other images."""

    image: str
    runtime: RuntimeWish
    user: str


NO_LACKS: frozenset[Lack] = frozenset()


def needs_of(spec: JobSpec, job: Job | None) -> tuple[str, ...]:
    """Return what a node must be able to do for *job* (None: a fresh one of *spec*) to start or go on there."""
    wanted = job.snapshots[-1].needs if job is not None and job.snapshots else ()
    if spec.freeze is FreezeMethod.CRIU and CRIU not in wanted:
        wanted = (*wanted, CRIU)
    engine = _ENGINES.get(spec.runtime)
    return (*wanted, engine) if engine is not None and engine not in wanted else wanted


def lack_of(spec: JobSpec, user: str) -> Lack | None:
    """Return what a node would lack for *user*'s jobs of *spec*, None if they need no image."""
    return Lack(spec.image, spec.runtime, user) if spec.image else None


def lacking(abilities: AbstractSet[str], spec: JobSpec, job: Job | None) -> Iterator[str]:
    """Yield, for people, what keeps it from starting on a node of these *abilities*."""
    for word in needs_of(spec, job):
        if word in abilities:
            continue
        if word == CRIU:
            yield "it cannot freeze by criu"
        else:
            yield f"it has no {word}"
