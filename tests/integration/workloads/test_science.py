"""`make science` at its smallest: everything runs through idleq, and the pages say what it gave."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

for package in ("torch", "ctapipe", "h5py", "matplotlib", "safetensors", "sklearn"):
    pytest.importorskip(package, reason="the train extra is not installed")

ROOT = Path(__file__).parents[3]
MAIN = ("cgan", "cvae", "todgan")
BESIDE = ("slides", "todvae", "cgan-convolutional", "cvae-plain")
WORK = ("train", "generate", "evaluate")


def science(folder: Path) -> str:
    # Main jobs so slow that none comes before all is over: on a busy machine, gaps of a minute would be filled by imports. That each
    # workload can be frozen is tested by its own tests.
    argv = [sys.executable, "-m", "bench.science", "--tiny", "--dir", str(folder), "--speed", "0.001"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IDLEQ_")}
    run = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_smallest_science_gives_pages_and_does_nothing_twice(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("s")  # a short path: sockets lie below it
    first = science(folder)
    pages = {name: (folder / name).read_text() for name in ("science.md", "science-tods.md")}
    jobs = json.loads((folder / "jobs.json").read_text())
    assert sorted(jobs) == sorted(
        ["train-classifier", *(f"{what}-{model}" for model in MAIN + BESIDE for what in WORK)]
    )
    for name in jobs:
        part = "main" if name.endswith(MAIN) else "second"
        assert f"| {part} | {name} |" in pages["science.md"]
        assert any(line.split()[:2] == [part, name] for line in first.splitlines()), "the terminal has it too"
    for picture in (path.name for path in (folder / "images" / "science").iterdir()):
        is_of_tods = picture.startswith(("todgan", "slides", "todvae"))
        assert f"images/science/{picture}" in pages["science-tods.md" if is_of_tods else "science.md"]
    assert len(list((folder / "images" / "science").iterdir())) == 1 + 4 * 4 + 3 * 3
    assert "without a verdict: too few of them were measured" in pages["science.md"], "so few images say nothing"
    assert "| 2+ hits: power spectrum, worst band off by | (" in pages["science-tods.md"]

    again = science(folder)
    assert "22 jobs, 22 of them done before" in again
    assert json.loads((folder / "jobs.json").read_text()) == jobs
    assert {name: (folder / name).read_text() for name in pages} == pages
