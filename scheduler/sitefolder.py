"""What a daemon of many users and those users share: how it is reached, and where each of them has a folder that is nobody else's.

    SHARED/door.json        the daemon's; everybody may read it
    SHARED/users/           anybody may make a folder here, and remove only their own (as in /tmp)
    SHARED/users/NAME/      made by the first agent or command of that user, for nobody else: their server directory

The daemon opens nothing in a user's folder: it would follow that user's links with its own rights.
"""

from dataclasses import dataclass
from pathlib import Path

from idleq.scheduler.errors import ServerDirectoryUnsafe, ServerDirectoryUnusable
from idleq.scheduler.paths import ServerPaths, part

TICKET = "IDLEQ_TICKET"
"""The variable in which the agent of another user is told what lets it in, once."""

READABLE, OPEN_TO_ALL = 0o755, 0o1777


@dataclass(frozen=True, slots=True)
class SiteFolder:
    """The folder that the configuration names as `server.shared`."""

    root: Path

    @property
    def users(self) -> Path:
        """Where users have their folders."""
        return self.root / "users"

    def of(self, user: str) -> ServerPaths:
        """Return *user*'s folder; raise BadMessage if nobody can be called so."""
        return ServerPaths(self.users / part(user))

    @property
    def door(self) -> Path:
        """How the daemon is reached."""
        return self.of("anybody").door

    def create(self) -> None:
        """Make what is not there yet.

        Raises:
            ServerDirectoryUnsafe: others could put another daemon's door in ours' place.
            ServerDirectoryUnusable: it cannot be made.
        """
        try:
            self.root.mkdir(mode=READABLE, exist_ok=True)
            self.users.mkdir(exist_ok=True)
            self.users.chmod(OPEN_TO_ALL)
            found = self.root.stat()
        except OSError as error:
            raise ServerDirectoryUnusable(f"server.shared, {self.root}, cannot be made: {error.strerror}") from error
        if found.st_mode & 0o022:
            raise ServerDirectoryUnsafe(
                f"others can write to {self.root}, where users look for this daemon: chmod 755 {self.root}"
            )
