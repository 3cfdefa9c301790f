"""What this node can do, in the engine's words, and what it is like for what is to be thawed on it."""

import shutil
from dataclasses import replace

from idleq.machines import Machine
from idleq.migration.capabilities import can_docker_freeze, criu_version
from idleq.migration.enclosure import is_root
from idleq.migration.here import machine_here
from idleq.migration.ports import RuntimeName
from idleq.scheduler.core.abilities import CRIU, DOCKER, FREEZING, IMAGE_CRIU, PODMAN
from idleq.scheduler.core.submission import RuntimeWish

ENGINES = (PODMAN, DOCKER)
"""Where there are both, podman runs what names no engine."""


def look_here() -> tuple[tuple[str, ...], Machine]:
    """Return what this node can do, and what it is like."""
    engines = tuple(name for name in ENGINES if shutil.which(name))
    version = criu_version()
    if not version:
        return engines, machine_here()
    freezing = [name for name in engines if is_root() and (name != DOCKER or can_docker_freeze())]
    words = [FREEZING[RuntimeWish(name)] for name in freezing]
    if freezing and freezing[0] == engines[0]:
        words.append(IMAGE_CRIU)
    machine = replace(machine_here(), criu=version, runtimes=(str(RuntimeName.PROCESS), *freezing))
    return (CRIU, *engines, *words), machine
