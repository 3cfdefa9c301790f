"""A job that is given files, is moved on its way, and leaves just what it was asked for."""

import time
from pathlib import Path
from typing import Any

import pytest

from support.moving import files_of
from support.real_server import quick

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("cluster")]

NUMBERS = range(60)

# Adds up one number of its input in each step, and saves itself when it is asked to.
ADDS = """
import json, os, pathlib, signal, sys, time
asked = []
signal.signal(signal.SIGUSR1, lambda *_: asked.append(1))
state = pathlib.Path(os.environ["IDLEQ_CHECKPOINT_DIR"], "state")
step, total = json.loads(state.read_text()) if state.exists() else (0, 0)
numbers = [int(line) for line in open("numbers/all")]
open("scratch", "a").write("x")
while step < len(numbers):
    if asked:
        state.write_text(json.dumps([step, total]))
        sys.exit(85)
    total += int(pathlib.Path(os.environ["IDLEQ_INPUT_DIR"], "numbers", "all").read_text().splitlines()[step])
    step += 1
    print(json.dumps({"step": step}), file=open("progress.jsonl", "a"))
    time.sleep(0.2)
pathlib.Path("sums").mkdir()
pathlib.Path("sums", "total").write_text(str(total))
"""


@pytest.fixture
def running(idleq: Any) -> Any:
    """A daemon runs, with three quiet nodes."""
    idleq.configure(quick())
    started = idleq("daemon", "start")
    assert started.code == 0, started.err
    return idleq


def until_under_way(running: Any, fence: int) -> None:
    """Wait until the first job's segment of that number has done something."""
    end, first = time.monotonic() + 90, -1
    while True:
        (row,) = running("ps", "--all", "--json").json["jobs"]
        if (row["state"], row["fence"]) == ("running", fence):
            if 0 <= first < row["step"]:
                return
            first = row["step"] if first < 0 else first
        assert time.monotonic() < end, row
        time.sleep(0.2)


def test_a_job_finds_its_inputs_after_every_move_and_only_its_outputs_are_its_result(
    running: Any, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "numbers").mkdir(parents=True)
    (home / "numbers" / "all").write_text("".join(f"{number}\n" for number in NUMBERS))
    (home / "adds.py").write_text(ADDS)
    given = ("--input", "adds.py", "--input", "numbers", "--output", "sums", "--memory", "64M", "--freeze", "app")

    submitted = running("submit", *given, "--", "python3", "adds.py", folder=home)
    assert submitted.code == 0, submitted.err
    (home / "numbers" / "all").write_text("0\n")
    (home / "adds.py").unlink()
    for fence in (1, 2):
        until_under_way(running, fence)
        assert running("move", "1").code == 0
    until_under_way(running, 3)

    assert running("wait", "1").code == 0, running("logs", "1", "--stderr").out
    assert running("fetch", "1", str(tmp_path / "back")).code == 0
    assert files_of(tmp_path / "back") == {"sums/total": str(sum(NUMBERS)).encode()}
    assert f"Inputs     {home}/adds.py, {home}/numbers" in running("ps", "1").out


def test_a_job_that_leaves_not_what_it_was_asked_for_has_failed(running: Any) -> None:
    running("submit", "--output", "*.csv", "--memory", "64M", "--", "sh", "-c", "echo 42 > other.txt")

    waited = running("wait", "1")

    assert waited.code == 65
    assert (
        "its output cannot be kept: it holds nothing that is '*.csv', which the job names as its output" in waited.out
    )
    left = running.server_dir / "jobs" / "1" / "segments" / "0001" / "output" / "other.txt"
    assert left.read_text() == "42\n", "what it left instead helps to see what went wrong"
