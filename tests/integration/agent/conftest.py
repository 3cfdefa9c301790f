"""A made-up daemon and real agents."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.agents import AgentProcess, FakeDaemon, StartAgent, agent


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    found = FakeDaemon(tmp_path / "server")
    found.start()
    yield found
    found.stop()


@pytest.fixture
def start_agent(daemon: FakeDaemon, tmp_path: Path) -> Iterator[StartAgent]:
    """Start agents of this test's allocation; all that they start ends with the test."""
    with ExitStack() as stack:

        def start(**settings: Any) -> AgentProcess:
            return stack.enter_context(agent(daemon, tmp_path / "scratch", **settings))

        yield start
