"""The one place where the command line chooses how it reaches the daemon."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from idleq.cli.client import Client
    from idleq.scheduler.paths import ServerPaths


def connect(paths: "ServerPaths") -> "Client":
    """Return the client of the daemon that serves *paths*; raise DaemonAway if none does."""
    from idleq.cli.client import Client
    from idleq.scheduler.api.client import Client as Wire

    return Client(Wire.for_directory(paths))
