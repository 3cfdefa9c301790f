"""Runs a workload as a real process in segments, each on fresh scratch, as if every segment had another node."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

EXIT_SAVED = 85
POLL_SECONDS = 0.01
LIMIT_SECONDS = 280.0

EVENT_FILES = frozenset({"tensorboard/events.out.tfevents.0.training"} if find_spec("tensorboard") else ())
"""What a training leaves for TensorBoard, where that is installed."""


@dataclass(slots=True, kw_only=True)
class Scratch:
    """One node's folders; only checkpoints and outputs are carried to the next."""

    root: Path

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def control(self) -> Path:
        return self.root / "control"


@dataclass(slots=True)
class Mover:
    """*freeze_when_at* are steps: each segment is frozen after it has reported at least the next of them."""

    folder: Path
    argv: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    moves: int = 0

    def run(self, freeze_when_at: Sequence[int]) -> Scratch:
        """Run to the end through as many segments as there are freezes, plus one."""
        scratch = self._fresh(None)
        for step in freeze_when_at:
            code = self.segment(scratch, freeze_when_at=step)
            assert code == EXIT_SAVED, f"exit code {code} instead of {EXIT_SAVED}"
            scratch = self.move(scratch)
        assert self.segment(scratch) == 0
        return scratch

    def move(self, old: Scratch) -> Scratch:
        """Copy what belongs to the snapshot to new scratch and delete the old one."""
        new = self._fresh(old)
        shutil.rmtree(old.root)
        return new

    def segment(self, scratch: Scratch, freeze_when_at: int | None = None) -> int:
        """One segment; its exit code."""
        return self._wait(self.start(scratch), scratch, freeze_when_at)

    def start(self, scratch: Scratch, limit_files_to: int | None = None) -> subprocess.Popen[bytes]:
        """The process of one segment; with a limit no file that it writes can be larger."""
        (scratch.control / "segment.json").write_text(json.dumps({"format": 1, "segment": self.moves}))
        environment = {
            **os.environ,
            **self.environment,
            "OMP_NUM_THREADS": "1",
            "IDLEQ_JOB_ID": "17",
            "IDLEQ_CHECKPOINT_DIR": str(scratch.checkpoints),
            "IDLEQ_OUTPUT_DIR": str(scratch.output),
            "IDLEQ_CONTROL": str(scratch.control),
        }
        limit = [] if limit_files_to is None else ["prlimit", f"--fsize={limit_files_to}"]
        command = [*limit, sys.executable, "-m", "idleq.workloads.cli", *self.argv]
        with (scratch.root / "stderr").open("ab") as errors:
            return subprocess.Popen(command, env=environment, stderr=errors, cwd=scratch.root)

    def first(self) -> Scratch:
        """Scratch for the first segment."""
        return self._fresh(None)

    def _wait(self, process: subprocess.Popen[bytes], scratch: Scratch, freeze_when_at: int | None) -> int:
        try:
            if freeze_when_at is not None:
                wait_for_step(process, scratch, max(freeze_when_at, last_step(scratch) + 1))
                process.send_signal(signal.SIGUSR1)
            return process.wait(LIMIT_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _fresh(self, old: Scratch | None) -> Scratch:
        scratch = Scratch(root=self.folder / f"node-{self.moves}")
        self.moves += 1
        scratch.control.mkdir(parents=True)
        for name in ("checkpoints", "output"):
            if old is not None:
                shutil.copytree(old.root / name, scratch.root / name)
            else:
                (scratch.root / name).mkdir()
        return scratch


def wait_for_step(process: subprocess.Popen[bytes], scratch: Scratch, step: int) -> None:
    """Return once *process* has reported *step*, or has ended."""
    end = time.monotonic() + LIMIT_SECONDS
    while last_step(scratch) < step and process.poll() is None:
        assert time.monotonic() < end, f"step {step} was never reported"
        time.sleep(POLL_SECONDS)


def last_step(scratch: Scratch) -> int:
    """The last step in the progress file, 0 without one."""
    path = scratch.output / "progress.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return int(json.loads(lines[-1])["step"]) if lines else 0


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below *folder* with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
