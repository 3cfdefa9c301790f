"""What a shell is told when somebody presses Tab."""

import subprocess
import sys
from pathlib import Path

import pytest

IDLEQ = Path(sys.executable).with_name("idleq")


def completed(home: Path, *words: str) -> list[str]:
    environment = {
        "HOME": str(home),
        "_IDLEQ_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("idleq", *words)),
        "COMP_CWORD": str(len(words)),
    }
    run = subprocess.run([IDLEQ], env=environment, capture_output=True, text=True, check=True, timeout=60)
    return run.stdout.split()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("s",), ["submit", "status", "snapshot", "simulate"]),
        (("daemon", "st"), ["start", "stop", "status"]),
        (("submit", "generate-c"), ["generate-cgan", "generate-cvae"]),
        (("submit", "generate-cgan", "g"), []),
        (("submit", "--pri"), ["--priority"]),
    ],
)
def test_tab_completes_commands_options_and_workloads(tmp_path: Path, words: tuple[str, ...], told: list[str]) -> None:
    assert completed(tmp_path, *words) == told


def test_the_script_that_asks_for_it_is_one_that_bash_understands(tmp_path: Path) -> None:
    shown = subprocess.run(
        [IDLEQ, "--show-completion", "bash"], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    subprocess.run(["bash", "-n"], input=shown.stdout, text=True, check=True)
