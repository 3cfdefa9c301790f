import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command_line import CommandLine


@pytest.fixture
def idleq(tmp_path: Path) -> CommandLine:
    """The command line, with a daemon that is not there."""
    return CommandLine(tmp_path / "server")


@pytest.fixture(autouse=True)
def _clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown as in Greenwich, wherever the tests run."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
