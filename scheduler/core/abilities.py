"""What a node can do, in words that agents say and snapshots and jobs ask for; and which of them a job lacks."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from idleq.scheduler.core.job import Job
from idleq.scheduler.core.submission import FreezeMethod, JobSpec

CRIU = "criu"
"""Plain processes can be frozen from outside, and go on from there."""

CPU = "cpu:"
"""Begins the word for the kind of its CPU: a program that was frozen may have chosen its instructions by that."""


def needs_of(spec: JobSpec, job: Job | None) -> tuple[str, ...]:
    """Return what a node must be able to do for *job* (None: a fresh one of *spec*) to start or go on there."""
    wanted = job.snapshots[-1].needs if job is not None and job.snapshots else ()
    return (*wanted, CRIU) if spec.freeze is FreezeMethod.CRIU and CRIU not in wanted else wanted


def is_able(abilities: AbstractSet[str] | None, spec: JobSpec, job: Job | None) -> bool:
    """Whether a node of these *abilities* (None: not known, so perhaps) can host it."""
    return abilities is None or all(word in abilities for word in needs_of(spec, job))


def lacking(abilities: AbstractSet[str], spec: JobSpec, job: Job | None) -> Iterator[str]:
    """Yield, for people, what keeps it from starting on a node of these *abilities*."""
    for word in needs_of(spec, job):
        if word in abilities:
            continue
        if word == CRIU:
            yield "it cannot freeze by criu"
        elif word.startswith(CPU):
            yield "its CPU is of another kind than the one that the job was frozen on"
        else:
            yield f"it has no {word}"
