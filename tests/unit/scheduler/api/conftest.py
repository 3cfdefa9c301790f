"""An API over a daemon with fakes; the daemon's loop runs in a thread, as it does for real."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from idleq.scheduler.core.commands import Launch
from support.desk import Desk


@pytest.fixture
def quiet_desk(tmp_path: Path) -> Desk:
    """The API; nobody takes the daemon's turns yet."""
    return Desk(tmp_path / "server")


@pytest.fixture
def desk(quiet_desk: Desk) -> Iterator[Desk]:
    """The API of a daemon that runs."""
    with quiet_desk.bench.running():
        yield quiet_desk


@pytest.fixture
def hosting(quiet_desk: Desk) -> Iterator[tuple[Desk, Launch]]:
    """The API of a daemon that runs and has just bound a job to allocation a1."""
    launch = quiet_desk.bench.host_a_job()
    with quiet_desk.bench.running():
        yield quiet_desk, launch
