"""What this machine is like, for deciding what can be thawed on it, and for what is frozen here to remember."""

import functools
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from idleq.machines import Machine
from idleq.migration.manifest import Origin

NVIDIA = Path("/proc/driver/nvidia/gpus")
"""One folder for each GPU of this maker."""


def origin_here(created: int, runtime: str = "process") -> Origin:
    """Return where a snapshot that is made now is made; *created* is the time for its manifest."""
    return Origin(created=created, machine=machine_here(), runtime=runtime)


@functools.cache
def machine_here() -> Machine:
    """Return what this machine is like; that does not change while we run."""
    system, flags = os.uname(), cpu_flags(_text(Path("/proc/cpuinfo")))
    return Machine(
        architecture=system.machine, kernel=system.release, cpu=cpu_class(flags), flags=flags, gpu=_gpu(NVIDIA)
    )


def cpu_flags(cpu_info: str) -> tuple[str, ...]:
    """Return the features that /proc/cpuinfo says every CPU has, in order; nothing where they are not known."""
    found = []
    for line in cpu_info.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            found.append(frozenset(value.split()))
    return tuple(sorted(frozenset.intersection(*found))) if found else ()


def cpu_class(flags: Sequence[str]) -> str:
    """Return a digest of the CPU's features: equal where programs compute alike; empty where the features are not known."""
    return sha256(" ".join(flags).encode()).hexdigest()[:16] if flags else ""


def _gpu(drivers: Path) -> str:
    """Return the model of the GPUs by what their driver says, "" where there are none; several models are named all."""
    models = {
        value.strip()
        for card in sorted(drivers.glob("*/information"))
        for key, _, value in (line.partition(":") for line in _text(card).splitlines())
        if key.strip() == "Model"
    }
    return ", ".join(sorted(models))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
