"""A training of the conditional GAN that lasts about as long on any machine, and what one undisturbed leaves."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.waiting import wait_for

EVENTS = 200
WARM, MEASURED = 10, 30
"""Steps that are taken before a training's pace is looked at, and then."""

FEWEST, MOST = 100, 2000
"""Steps: whatever a machine's pace seems to be, a training is moved in its middle, and ends."""

KEPT = ("generator.safetensors", "summary.json")
"""What a training leaves that is the same bit for bit, however often it was frozen (its pictures and times are not looked at)."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""As in the catalog of jobs: with more, sums are taken in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """So many steps on the data set in *data*."""

    data: Path
    steps: int

    def argv(self, data: Path) -> tuple[str, ...]:
        """The job and its options, where its data set is found as *data*."""
        return (
            "train-cgan",
            "--quick",
            "--steps",
            str(self.steps),
            "--events",
            str(EVENTS),
            "--batch",
            "64",
            "--data",
            str(data),
        )


def sized(data: Path, scratch: Path, *, seconds: float) -> Training:
    """A training that takes about *seconds* on this machine as it is just now; its data set is made by the way."""
    with _running(Training(data=data, steps=MOST), scratch) as process:
        pace = _seconds_a_step(scratch / "progress.jsonl", process)
    return Training(data=data, steps=min(max(FEWEST, round(seconds / pace)), MOST))


@contextmanager
def alone(training: Training, output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Train on this machine, undisturbed, beside whatever else is done; who wants what it left waits for the process."""
    with _running(training, output) as process:
        yield process


def digests(folder: Path) -> dict[str, str]:
    """What a training left in *folder*."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in KEPT}


@contextmanager
def _running(training: Training, output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    argv: Sequence[str] = (sys.executable, "-m", "idleq.workloads.cli", *training.argv(training.data))
    with subprocess.Popen(
        [*argv, "--output", str(output)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | ONE_THREAD,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _seconds_a_step(progress: Path, process: "subprocess.Popen[bytes]") -> float:
    """How long a step takes, by when the lines of *progress* come: each is of ten steps."""

    def after(steps: int) -> float:
        def look() -> bool:
            assert process.poll() in (None, 0), "the training that is to be timed has failed"
            return progress.exists() and progress.read_bytes().count(b"\n") >= steps // 10

        wait_for(f"{steps} steps of a training", look, seconds=600)
        return time.monotonic()

    began = after(WARM)
    return max(after(WARM + MEASURED) - began, 0.01) / MEASURED
