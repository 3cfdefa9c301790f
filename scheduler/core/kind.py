"""What is taken for alike where something is learned of jobs: who runs what, and how it is run and frozen."""

from functools import lru_cache
from typing import NamedTuple

from idleq.scheduler.core.submission import JobSpec

SHARED = 4096
"""Kinds of which there is one object only, however many entries are of it: a queue of a hundred thousand holds few kinds."""


class Kind(NamedTuple):
    """One kind of jobs.

    Attributes:
        name: their workload's name; two users may well run unlike programs of one name.
        freeze: how they are frozen: what criu takes says nothing of what a program takes that saves itself.
        runtime: what runs them: "process" without an image, else what was wished for.
        user: whose they are; "" for anybody's.
    """

    name: str
    freeze: str
    runtime: str
    user: str = ""


Kinds = tuple[Kind, ...]
"""The kinds that a job is of, its user's own first, anybody's last; one alone where nobody is named."""


def kinds_of(spec: JobSpec, user: str) -> Kinds:
    """Return the kinds that *user*'s jobs of *spec* are of."""
    return _kinds(spec.name, spec.freeze.value, spec.runtime.value if spec.image else "process", user)


@lru_cache(maxsize=SHARED)
def _kinds(name: str, freeze: str, runtime: str, user: str) -> Kinds:
    anybodys = Kind(name, freeze, runtime)
    return (Kind(name, freeze, runtime, user), anybodys) if user else (anybodys,)
