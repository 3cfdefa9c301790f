"""Real servers under fault; whatever a test leaves is ended by number."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.real_server import RealServer

MakeServer = Callable[..., RealServer]


@pytest.fixture
def make_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeServer]:
    """Make a server directory of the given config.toml."""
    made: list[RealServer] = []

    def make(config: str | None = None) -> RealServer:
        folder: Path = tmp_path_factory.mktemp("f")
        made.append(RealServer(folder) if config is None else RealServer(folder, config))
        return made[-1]

    yield make
    for server in made:
        server.clean()


@pytest.fixture
def server(make_server: MakeServer) -> RealServer:
    """A server with three quiet nodes."""
    return make_server()
