"""Descriptions of jobs that no operating system could run: refused before a node finds out."""

import signal

from idleq.scheduler.core.submission import JobSpec
from idleq.scheduler.errors import BadJobFile
from idleq.scheduler.jobkeys import RESERVED

UNCATCHABLE = ("SIGKILL", "SIGSTOP")
"""No workload can save itself on these."""


def check(spec: JobSpec) -> None:
    """Raise BadJobFile if *spec* cannot be handed to an operating system; whether it fits a node is the engine's business."""
    texts = (spec.name, *spec.argv, *(part for pair in (*spec.environment, *spec.labels) for part in pair))
    if any("\0" in text for text in texts):
        raise BadJobFile(f"job {spec.name!r}: a name, an argument or a variable holds a NUL character")
    for name, _ in spec.environment:
        if not name or "=" in name:
            raise BadJobFile(f"job {spec.name!r}: {name!r} cannot be the name of a variable")
        if name in RESERVED:
            raise BadJobFile(f"job {spec.name!r}: {name} is set by idleq itself and cannot be given")
    if spec.signal not in signal.Signals.__members__ or spec.signal in UNCATCHABLE:
        raise BadJobFile(f"job {spec.name!r}: {spec.signal!r} is no signal that a workload can save itself on")
