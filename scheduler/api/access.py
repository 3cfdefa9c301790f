"""access.json: how a client finds the daemon, knows it, and is let in.

Every command reads it, so it is read with the standard library's JSON, which is there sooner than the codec.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from idleq.ids import Millis
from idleq.scheduler.atomic import write_atomically
from idleq.scheduler.errors import DaemonAway
from idleq.scheduler.paths import ServerPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the daemon tells those who may read its server directory.

    Attributes:
        url: where it listens.
        token: lets people in.
        certificate: the only one (PEM) that it shows.
        pid: its process.
        started: when it started.
    """

    url: str
    token: str
    certificate: str
    pid: int
    started: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the daemon of a site tells everybody.

    Attributes:
        url: where it listens.
        certificate: the only one (PEM) that it shows.
    """

    url: str
    certificate: str


def write_door(path: Path, access: Access) -> None:
    """Tell all users of a site of the daemon, but not what lets its own user in."""
    door = Door(url=access.url, certificate=access.certificate)
    write_atomically(path, json.dumps(asdict(door)).encode(), mode=0o644)


def read_door(paths: ServerPaths) -> tuple[Door, int] | None:
    """Return how the site's daemon is reached, and the number of its user, if *paths* is the folder of one of the site's users."""
    try:
        with paths.door.open("rb") as file:
            return Door(**json.loads(file.read())), os.fstat(file.fileno()).st_uid
    except (OSError, ValueError, TypeError):
        return None


def write_access(paths: ServerPaths, access: Access) -> None:
    """Tell clients of the daemon; call it once the daemon listens."""
    write_atomically(paths.access, json.dumps(asdict(access)).encode(), mode=0o600)


def read_access(paths: ServerPaths) -> Access:
    """Return how to reach the daemon of this server directory.

    Raises:
        DaemonAway: there is none, or what it left cannot be read.
    """
    try:
        return Access(**json.loads(paths.access.read_bytes()))
    except FileNotFoundError:
        message = f"no daemon serves {paths.root}: start one with `idleq daemon start`"
        raise DaemonAway(message) from None
    except (OSError, ValueError, TypeError) as error:
        message = f"{paths.access} cannot be read ({error}): start the daemon anew with `idleq daemon start`"
        raise DaemonAway(message) from error


def remove_access(paths: ServerPaths, token: str) -> None:
    """The daemon that let people in with *token* no longer listens; what another one has left since stays."""
    with suppress(DaemonAway):
        if read_access(paths).token == token:
            paths.access.unlink(missing_ok=True)
