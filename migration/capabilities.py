"""What can be done on this machine, honestly: what works, and what is there but not used yet."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

ENGINES = ("podman", "docker", "criu")
"""Programs that a later version drives."""


@dataclass(frozen=True, slots=True)
class Capability:
    """One line of what `idleq doctor` prints about freezing and thawing here."""

    name: str
    works: bool
    detail: str


def probe(find: Callable[[str], str | None] = shutil.which) -> tuple[Capability, ...]:
    """Return what can be used here; *find* tells where a program is."""
    return (
        Capability("process", works=True, detail="ordinary processes, each in a session of its own"),
        Capability("app", works=True, detail="jobs that save themselves on a signal (the workload contract)"),
        *(_engine(name, find(name)) for name in ENGINES),
    )


def _engine(name: str, path: str | None) -> Capability:
    detail = f"found at {path}, not used yet" if path else "not found (and not used yet)"
    return Capability(name, works=False, detail=detail)
