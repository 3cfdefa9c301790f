"""The examples do what the documentation says of them, and the documentation shows them as they are."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from idleq.scheduler.config import EmbeddedSettings, load_config
from idleq.scheduler.jobfile import read_job_file

PATIENCE_SECONDS = 60


def test_the_documentation_shows_the_examples_as_they_are(repository: Path) -> None:
    pages = "\n".join(page.read_text() for page in sorted((repository / "docs").rglob("*.md")))
    shown = {block.strip() for block in re.findall(r"^```(?:sh|toml)\n(.*?)^```", pages, re.MULTILINE | re.DOTALL)}

    for example in ("count.sh", "scan.toml", "fits.toml"):
        assert (repository / "examples" / example).read_text().strip() in shown


@pytest.mark.parametrize(("example", "names"), [("scan.toml", ["scan"]), ("fits.toml", ["prepare", "fit"])])
def test_the_job_files_can_be_submitted(repository: Path, example: str, names: list[str]) -> None:
    submissions = read_job_file((repository / "examples" / example).read_text(), {})

    assert [submission.spec.name for submission in submissions] == names


def test_the_busy_cluster_is_a_configuration(repository: Path) -> None:
    config = load_config(repository / "examples" / "busy-cluster.toml")

    assert isinstance(config.cluster, EmbeddedSettings)
    assert config.cluster.main_jobs == "busy"


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal."""
    mask = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


def test_the_shell_program_saves_itself_and_goes_on(repository: Path, weird_tmp_path: Path) -> None:
    checkpoint, output = weird_tmp_path / "checkpoint", weird_tmp_path / "output"
    checkpoint.mkdir()
    output.mkdir()
    environment = {"PATH": os.environ["PATH"], "IDLEQ_CHECKPOINT_DIR": str(checkpoint), "IDLEQ_OUTPUT_DIR": str(output)}
    program = repository / "examples" / "count.sh"

    with subprocess.Popen([program, "600"], env=environment) as first:
        limit = time.monotonic() + PATIENCE_SECONDS
        while not catches(first.pid, signal.SIGUSR1):
            assert time.monotonic() < limit
            time.sleep(0.01)
        first.send_signal(signal.SIGUSR1)
        assert first.wait(PATIENCE_SECONDS) == 85
    saved = int((checkpoint / "n").read_text())
    subprocess.run([program, str(saved + 1)], env=environment, check=True, timeout=PATIENCE_SECONDS)

    assert (output / "result").read_text() == f"{saved + 1}\n"
