"""The workload's own programs, run without idleq: to make the data set, and to have a result to compare with."""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from idleq.cli.errors import DemoFailed, TrainingMissing

NEEDED = ("torch", "ctapipe", "matplotlib")

WORKLOADS = (sys.executable, "-m", "idleq.workloads.cli")


def require_training() -> None:
    """See that the training's packages are there, without importing them; raise TrainingMissing if not."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise TrainingMissing(f"the demo trains a network and needs {', '.join(missing)}: pip install 'idleq[train]'")


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
        return subprocess.Popen(
            [*program, "--output", str(output)],
            env=clean | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
