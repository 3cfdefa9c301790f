"""`make bench` runs whatever modules lie in bench/; a broken one does not hide the others, and none leaves anything behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

GOOD = """
from bench.row import Row

def rows():
    return [
        Row(name="quick", value=1.0, unit="s", target=2.0),
        Row(name="slow", value=3.0, unit="s", target=2.0),
        Row(name="many", value=3.0, unit="1/s", target=2.0, better="more"),
        Row(name="told only", value=3.0, unit="MB"),
    ]
"""
BROKEN = """
def rows():
    raise ValueError("no database here")
"""

STAYING = """
import subprocess, sys, tempfile, time
from pathlib import Path

def rows():
    folder = tempfile.mkdtemp()
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        print(sleeper.pid, folder, flush=True)
        {then}
    finally:
        Path("cleaned-up").touch()
"""


def row(
    benchmark: str, name: str, value: float | None, unit: str, target: float | None, **rest: object
) -> dict[str, object]:
    common = {"benchmark": benchmark, "name": name, "value": value, "unit": unit, "target": target}
    return common | {"better": "less"} | rest


GOOD_ROWS = [
    row("good", "quick", 1.0, "s", 2.0, met=True),
    row("good", "slow", 3.0, "s", 2.0, met=False),
    row("good", "many", 3.0, "1/s", 2.0, better="more", met=True),
    row("good", "told only", 3.0, "MB", None, met=None),
]
BROKEN_ROWS = [row("broken", "broken", None, "", None, met=False, note="ValueError: no database here")]


@pytest.fixture
def bench(repository: Path, tmp_path: Path) -> Path:
    """A folder bench/ with the runner and two benchmarks of our own."""
    folder = tmp_path / "bench"
    folder.mkdir()
    for name in ("__init__", "apart", "one", "row", "run"):
        shutil.copy(repository / "bench" / f"{name}.py", folder)
    (folder / "good.py").write_text(GOOD)
    (folder / "broken.py").write_text(BROKEN)
    return folder


def run(bench: Path, *names: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bench.run", *names]
    return subprocess.run(argv, cwd=bench.parent, capture_output=True, text=True, check=False)


def results_of(bench: Path) -> list[dict[str, object]]:
    """Return the rows without the machine's load, which is some number, and the day and the processor."""
    rows: list[dict[str, object]] = json.loads((bench / "results.json").read_text())
    loads = [entry.pop("load_before") for entry in rows]
    assert all(isinstance(load, float) and load >= 0 for load in loads)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d, no commit, \d+ x .+", str(entry.pop("on"))) for entry in rows)
    return rows


def test_a_benchmark_that_cannot_run_gives_a_row_that_says_why(bench: Path) -> None:
    result = run(bench)

    assert (result.returncode, result.stderr) == (0, "")
    assert "5 rows, 2 not met" in result.stdout
    assert results_of(bench) == BROKEN_ROWS + GOOD_ROWS


def test_a_named_benchmark_replaces_its_own_rows_only(bench: Path) -> None:
    run(bench)
    (bench / "broken.py").write_text(GOOD.replace("quick", "mended"))

    run(bench, "broken")

    results = results_of(bench)
    assert [entry["name"] for entry in results] == [
        "mended",
        "slow",
        "many",
        "told only",
        "quick",
        "slow",
        "many",
        "told only",
    ]


def test_rows_of_a_benchmark_that_is_gone_are_dropped(bench: Path) -> None:
    run(bench)
    (bench / "broken.py").unlink()

    run(bench, "good")

    assert results_of(bench) == GOOD_ROWS


def test_an_unknown_benchmark_is_refused(bench: Path) -> None:
    result = run(bench, "nonesuch")

    assert result.returncode == 2
    assert "nonesuch" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_benchmark_cleans_up_and_leaves_neither_processes_nor_folders(
    bench: Path, number: signal.Signals
) -> None:
    (bench / "staying.py").write_text(STAYING.format(then="time.sleep(600)"))
    argv = [sys.executable, "-m", "bench.run", "staying"]
    with subprocess.Popen(argv, cwd=bench.parent, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        pid, folder = process.stdout.readline().split()
        os.kill(process.pid, number)
        code = process.wait(60)

    assert (code, psutil.pid_exists(int(pid)), Path(folder).exists()) == (128 + number, False, False)
    assert (bench.parent / "cleaned-up").exists()
    assert not (bench / "results.json").exists()


def test_what_a_benchmark_left_running_is_ended(bench: Path) -> None:
    (bench / "staying.py").write_text(STAYING.format(then="return []"))

    result = run(bench, "staying")

    pid, folder = result.stdout.splitlines()[1].split()
    assert (psutil.pid_exists(int(pid)), Path(folder).exists()) == (False, False)
