"""How quickly the training's data set is made on one core, and how long `train-cgan --quick` takes there."""

import os
import re
import resource
import subprocess
import sys
import tempfile

from bench.row import Row

EVENTS = 12_000
"""As many as `train-cgan --quick` has by itself."""

QUICK_SECONDS = 120


def rows() -> list[Row]:
    """The rate is the one that the job prints for people: images made, without the time that the imports take."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "idleq.workloads.cli", "make-data", "--events", str(EVENTS), "--data", folder]
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
        quick_seconds = _quick(folder)
    found = re.search(r"made (\d+) events in ([0-9.]+) s", run.stdout + run.stderr)
    if run.returncode or found is None:
        raise SystemExit(f"make-data ended with {run.returncode}: {run.stderr.strip()}")
    events, seconds = int(found[1]), float(found[2])
    return [
        Row(name=f"making the data set, one core ({EVENTS} events)", value=events / seconds, unit="events/s",
            better="more", note=f"in {seconds:.1f} s"),
        Row(name="train-cgan --quick, its data set apart, one core", value=quick_seconds, unit="s", target=QUICK_SECONDS,
            note="processor time, the imports included"),
        Row(name="peak memory of either", value=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, unit="MiB"),
    ]  # fmt: skip


def _quick(data: str) -> float:
    argv = [sys.executable, "-m", "idleq.workloads.cli", "train-cgan", "--quick", "--data", data]
    before = _children_seconds()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*argv, "--output", f"{folder}/output"], cwd=folder, capture_output=True, check=True)
    return _children_seconds() - before


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
