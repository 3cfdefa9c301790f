"""What can be done on this machine, honestly: what works, and what is there but not used yet."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from idleq.migration.manifest import Origin

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


def origin_here(created: int) -> Origin:
    """Return where a snapshot that is made now is made; *created* is the time for its manifest."""
    system = os.uname()
    return Origin(created=created, kernel=system.release, machine=system.machine, cpu=cpu_class(_cpu_info()))


def cpu_class(cpu_info: str) -> str:
    """Return a digest of the CPU's flags: equal where programs compute alike; empty where the flags are not known."""
    for line in cpu_info.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            return sha256(" ".join(sorted(value.split())).encode()).hexdigest()[:16]
    return ""


def _cpu_info() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _engine(name: str, path: str | None) -> Capability:
    detail = f"found at {path}, not used yet" if path else "not found (and not used yet)"
    return Capability(name, works=False, detail=detail)
