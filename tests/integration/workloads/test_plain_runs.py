"""A named job without idleq: who asks it to end finds a checkpoint, is told so, and goes on with the same command."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.moving import POLL_SECONDS, Mover, files_of, wait_for_step

SAVED = "saved at step {} in {}; the same command goes on from there\n"
GOING_ON = "going on from step {}, saved in {}\n"


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C reaches what is started here, though whoever started the tests may have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def a_count(output: Path, *, steps: int = 40, step_seconds: float = 0.02) -> "subprocess.Popen[str]":
    argv = ("count", "--steps", str(steps), "--step-seconds", str(step_seconds), "--output", str(output))
    names = ("IDLEQ_CHECKPOINT_DIR", "IDLEQ_OUTPUT_DIR", "IDLEQ_CONTROL")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-m", "idleq.workloads.cli", *argv]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Its exit code, and what it has said."""
    said = process.communicate(timeout=60)[1]
    return process.returncode, said


def wait_for_progress(process: "subprocess.Popen[str]", output: Path) -> None:
    while process.poll() is None and not (output / "progress.jsonl").is_file():
        time.sleep(POLL_SECONDS)
    while process.poll() is None and not (output / "progress.jsonl").read_text():
        time.sleep(POLL_SECONDS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_run_that_is_asked_to_end_saves_and_the_same_command_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    output = tmp_path / "asked"
    asked = a_count(output)
    wait_for_progress(asked, output)
    asked.send_signal(number)
    code, said = ended(asked)
    step = len((output / "progress.jsonl").read_text().splitlines())
    assert (code, said) == (85, SAVED.format(step, output / ".checkpoints"))

    assert ended(a_count(output)) == (0, GOING_ON.format(step, output / ".checkpoints"))
    assert ended(a_count(tmp_path / "left alone", step_seconds=0)) == (0, "")
    assert files_of(output) == files_of(tmp_path / "left alone")


def test_ctrl_c_pressed_again_ends_a_run_before_its_step_is_over(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from idleq.workloads import cli, count;"
        "count.CountState.advance = lambda _: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)];"
        "sys.exit(cli.main(['count', '--step-seconds', '0', '--output', sys.argv[1]]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.returncode, run.stderr, files_of(tmp_path)) == (130, "", {"progress.jsonl": b""})


def test_nobody_left_to_read_what_is_said_is_no_failure(tmp_path: Path) -> None:
    process = a_count(tmp_path)
    wait_for_progress(process, tmp_path)
    assert process.stderr is not None
    process.stderr.close()
    process.terminate()
    assert process.wait(60) == 85


def test_under_idleq_only_the_freeze_signal_saves(tmp_path: Path) -> None:
    mover = Mover(tmp_path, ("count", "--steps", "1000", "--step-seconds", "0.02"))
    scratch = mover.first()
    process = mover.start(scratch)
    wait_for_step(process, scratch, 2)
    process.terminate()
    assert process.wait(60) == -signal.SIGTERM
    assert list(scratch.checkpoints.iterdir()) == []
    assert (scratch.root / "stderr").read_text() == ""

    assert mover.segment(scratch, freeze_when_at=2) == 85
    assert json.loads((scratch.control / "saved.jsonl").read_text())["step"] >= 2
    assert (scratch.root / "stderr").read_text() == ""
