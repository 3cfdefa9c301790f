"""The job files in examples/ run as they are."""

import shutil
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.fixture
def running(idleq: Any) -> Any:
    """A daemon runs."""
    idleq.configure("[cluster]\nkind = 'local'\ncores = 2\nmemory = '1G'\n")
    assert idleq("daemon", "start").code == 0
    return idleq


def test_one_job_is_found_beside_its_file(running: Any) -> None:
    submitted = running("submit", "--file", str(EXAMPLES / "scan.toml"))

    assert (submitted.code, submitted.out) == (0, "Submitted job 1 (scan)\n")
    assert running("wait", "1").code == 0
    assert (running.server_dir / "jobs/1/result/result").read_text() == "5\n"


def test_several_jobs_run_one_after_the_other(running: Any) -> None:
    submitted = running("submit", "--file", str(EXAMPLES / "fits.toml"))

    assert (submitted.code, submitted.out) == (0, "Submitted job 1 (prepare)\nSubmitted array of 10 tasks, 2 (fit)\n")
    assert running("wait", "1", "2").code == 0
    assert running("logs", "2_9").out == "fitting part 9\n"


def test_a_relative_program_is_run_though_the_job_starts_elsewhere(running: Any, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "count.sh", tmp_path / "count.sh")

    assert running("submit", "--memory", "64M", "--", "./count.sh", "1", folder=tmp_path).code == 0
    assert running("wait", "1").code == 0
