"""`make bench` runs whatever modules lie in bench/, and a broken one does not hide the others."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

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
    for name in ("__init__", "one", "row", "run"):
        shutil.copy(repository / "bench" / f"{name}.py", folder)
    (folder / "good.py").write_text(GOOD)
    (folder / "broken.py").write_text(BROKEN)
    return folder


def run(bench: Path, *names: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bench.run", *names]
    return subprocess.run(argv, cwd=bench.parent, capture_output=True, text=True, check=False)


def test_a_benchmark_that_cannot_run_gives_a_row_that_says_why(bench: Path) -> None:
    result = run(bench)

    assert (result.returncode, result.stderr) == (0, "")
    assert "5 rows, 2 not met" in result.stdout
    assert json.loads((bench / "results.json").read_text()) == BROKEN_ROWS + GOOD_ROWS


def test_a_named_benchmark_replaces_its_own_rows_only(bench: Path) -> None:
    run(bench)
    (bench / "broken.py").write_text(GOOD.replace("quick", "mended"))

    run(bench, "broken")

    results = json.loads((bench / "results.json").read_text())
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

    assert json.loads((bench / "results.json").read_text()) == GOOD_ROWS


def test_an_unknown_benchmark_is_refused(bench: Path) -> None:
    result = run(bench, "nonesuch")

    assert result.returncode == 2
    assert "nonesuch" in result.stderr
