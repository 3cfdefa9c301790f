"""`make science` at its smallest: everything runs through idleq, and the page says what it gave."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

for package in ("torch", "ctapipe", "matplotlib", "safetensors", "sklearn"):
    pytest.importorskip(package, reason="the train extra is not installed")

ROOT = Path(__file__).parents[3]
JOBS = (
    "train-cgan",
    "train-classifier",
    "train-cvae",
    "generate-cvae",
    "evaluate-cvae",
    "generate-cgan",
    "evaluate-cgan",
)


def science(folder: Path) -> str:
    argv = [sys.executable, "-m", "bench.science", "--tiny", "--dir", str(folder), "--speed", "0.02"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IDLEQ_")}
    run = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_smallest_science_gives_a_page_and_does_nothing_twice(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("s")  # a short path: sockets lie below it
    first = science(folder)
    page = (folder / "science.md").read_text()
    pictures = sorted(path.name for path in (folder / "images" / "science").iterdir())
    assert [line.split(" | ")[0] for line in first.splitlines() if line.startswith(("| train", "| gen", "| eval"))] == [
        f"| {name}" for name in JOBS
    ]
    assert all(f"images/science/{picture}" in page for picture in pictures)
    assert len(pictures) == 9
    assert "not reached" in page, "so little training reaches nothing much, and the page says so"
    jobs = json.loads((folder / "jobs.json").read_text())
    assert sorted(jobs) == sorted(JOBS)
    science(folder)
    assert json.loads((folder / "jobs.json").read_text()) == jobs
    assert (folder / "science.md").read_text() == page
