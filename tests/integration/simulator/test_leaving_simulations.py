"""Simulations as processes of their own, told to leave and gone on with by other processes whose sets are in another order."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = (
    "--json", "simulate", "small", "--days", "1", "--guests", "enough", "--strategies", "young,idleq", "--grace", "30",
)  # fmt: skip


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def simulation(environment: dict[str, str], hashes: int, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "idleq", *COMMAND, *more],
        env=environment | {"PYTHONHASHSEED": str(hashes)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_simulation_that_left_comes_to_the_same_in_other_processes(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    alone, _ = simulation(environment, 1).communicate()
    file = tmp_path / "kept"
    codes = []
    for hashes in range(2, 6):
        file_was = file.stat().st_mtime_ns if file.exists() else 0
        process = simulation(environment, hashes, "--checkpoint", str(file), "--checkpoint-every", "0.05")
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None and not _is_newer(file, file_was):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM if hashes % 2 else signal.SIGKILL)
        said, _ = process.communicate()
        codes.append(process.returncode)
        if process.returncode == 0:
            break
    else:
        said, _ = simulation(environment, 9, "--checkpoint", str(file)).communicate()

    assert {85, -signal.SIGKILL} <= set(codes) <= {85, -signal.SIGKILL, 0}
    assert said == alone
    assert not file.exists()


def test_a_folder_of_a_main_queue_that_left_is_that_of_one_that_did_not(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    trace = "synthetic:nodes=8,jobs=15000,load=0.6,hours=3,seed=3"
    command = [sys.executable, "-m", "idleq", "simulate", trace, "--no-guests", "--no-plots"]
    kept = tmp_path / "kept"
    subprocess.run([*command, "--out", str(tmp_path / "whole")], env=environment, check=True, capture_output=True)
    keeping = [*command, "--checkpoint", str(kept), "--checkpoint-every", "0.05", "--out", str(tmp_path / "left")]
    with subprocess.Popen(keeping, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None and not kept.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "left").exists()
    subprocess.run(keeping, env=environment, check=True, capture_output=True)

    whole, left = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("whole", "left"))
    assert {"index.html", "results.json", "waits.csv", "weeks.csv", "intervals.csv"} <= whole.keys()
    assert left == whole
    assert not kept.exists()


def _is_newer(file: Path, than: int) -> bool:
    try:
        return file.stat().st_mtime_ns > than
    except FileNotFoundError:
        return False
