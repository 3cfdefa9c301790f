import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command printed and ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class RealCommandLine:
    """The `idleq` command as a process, with a server directory of its own."""

    server_dir: Path

    def __call__(self, *arguments: str, timeout: float = 60, folder: Path | None = None) -> Outcome:
        process = subprocess.Popen(
            [sys.executable, "-m", "idleq", *arguments],
            env=os.environ | {"IDLEQ_SERVER_DIR": str(self.server_dir)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.terminate()  # killed, it would leave behind what it has started
            process.communicate(timeout=60)
            raise
        return Outcome(process.returncode, out, err)

    def configure(self, text: str) -> None:
        self.server_dir.mkdir(mode=0o700, exist_ok=True)
        (self.server_dir / "config.toml").write_text(text)


@pytest.fixture
def idleq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCommandLine]:
    """The real command; whatever daemon it started is gone afterwards, with its cluster."""
    command = RealCommandLine(tmp_path_factory.mktemp("s") / "d")  # short: there are sockets in it
    yield command
    command("daemon", "stop", "--cluster")
