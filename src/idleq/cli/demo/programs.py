"""The workload's own programs, run without idleq: to make the data set, and to have a result to compare with."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from idleq.cli.errors import DemoFailed, TrainingMissing

NEEDED = ("torch", "ctapipe", "matplotlib")

LOW_PRIORITY = 10

WORKLOADS = (sys.executable, "-m", "idleq.workloads.cli")


def require_training() -> None:
    """See that the training's packages are there, without importing them; raise TrainingMissing if not."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise TrainingMissing(f"the demo trains a network and needs {', '.join(missing)}: pip install 'idleq[train]'")


USUAL_START_SECONDS = 5.0
"""How long a usual machine takes until the training's packages are there: a third of the demo's shorter gaps."""

SLOWEST = 6
"""Gaps of minutes are the longest that a person waits for."""


def slow_down() -> int:
    """Return how many times longer than usual this machine takes, just now, to start a training."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import torch, matplotlib"], stdin=subprocess.DEVNULL, check=False)
    return min(max(1, round((time.monotonic() - began) / USUAL_START_SECONDS)), SLOWEST)


def make_data(folder: Path, events: int, *, is_shown: bool) -> None:
    """Make the training's data set in *folder*; its progress bar is shown to a person.

    Raises:
        DemoFailed: with what the program said.
    """
    argv = [*WORKLOADS, "make-data", "--events", str(events), "--data", str(folder)]
    process = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None if is_shown else subprocess.PIPE,
        check=False,
    )
    if process.returncode:
        said = (process.stderr or b"").decode(errors="replace").strip()
        raise DemoFailed(
            f"the data set could not be made (exit code {process.returncode}){': ' + said if said else ''}"
        )


def start_alone(
    argv: tuple[str, ...], environment: Mapping[str, str], output: Path, log: Path
) -> "subprocess.Popen[bytes]":
    """Start the job as a plain process, with nothing of idleq around it."""
    program = [sys.executable if word == "{python}" else word for word in argv]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("IDLEQ_")}
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*program, "--output", str(output)],
            env=clean | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    # It is there to be compared with, and has until the other's end: what is watched goes first.
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, process.pid, LOW_PRIORITY)
    return process
