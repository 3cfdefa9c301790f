"""HyperQueue's package, installed for one benchmark into a folder that goes with it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = "0.27.0"
LIMIT_SECONDS = 120


class HyperQueueAway(Exception):
    """It cannot be had here."""


@contextmanager
def installed() -> Iterator[Path]:
    """Yield a folder for PYTHONPATH; raise HyperQueueAway where there is no such package or no way to it."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", folder]
        run = subprocess.run([*argv, f"hyperqueue=={VERSION}"], capture_output=True, text=True, check=False)
        if run.returncode:
            raise HyperQueueAway(f"pip cannot install it: {run.stderr.strip().splitlines()[-1]}")
        yield Path(folder)


def run_true(packages: Path, jobs: int) -> tuple[int, float]:
    """Run so many `true` jobs; return how many ran, and the seconds that they took together."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "bench.hyperqueue_run", str(jobs), folder]
        environment = os.environ | {"PYTHONPATH": str(packages)}
        run = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    if run.returncode:
        raise HyperQueueAway(f"it ended with {run.returncode}: {run.stderr.strip().splitlines()[-1]}")
    said = json.loads(run.stdout.splitlines()[-1])
    return said["jobs"], said["seconds"]
