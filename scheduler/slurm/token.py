"""The token (auth/jwt) by which slurmrestd knows us: in a file that nobody else can read, renewed while it still holds."""

import base64
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

from idleq.ids import Millis
from idleq.scheduler.atomic import write_atomically
from idleq.scheduler.ports import Clock
from idleq.scheduler.slurm.errors import SlurmAway, SlurmRefused, SlurmTokenUnusable

PREFIX = "SLURM_JWT="
"""What `scontrol token` prints before the token; people keep the whole line."""

RENEW_SHARE = 4
"""A token is renewed in the last quarter of its life: an office's weekend is not, but a controller that is away for hours is survived."""

AGAIN_MS = Millis(60_000)
"""Between two tries to renew: each poll asks for the token several times."""


def parse_token(text: str) -> str:
    """Return the token in *text*; raise SlurmTokenUnusable if it is none."""
    token = text.strip().removeprefix(PREFIX)
    if (
        token.count(".") != len(("header", "claims", "signature")) - 1
        or not token.isascii()
        or token.split() != [token]
    ):
        raise SlurmTokenUnusable("that is no token: it is three parts with dots between them, on one line")
    return token


def ends_at(token: str) -> Millis | None:
    """Return when *token* expires, by what it says itself; None if it does not say."""
    claims = token.split(".")[1]
    try:
        said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return Millis(int(said["exp"]) * 1000)
    except (ValueError, KeyError, TypeError):
        return None


class TokenFile:
    """Gives the token in *path* whenever it is asked for, so that a fresh one is used as soon as somebody puts it there.

    *renew* makes a fresh one, of *life_ms*, where the site lets its users do so.
    """

    def __init__(self, path: Path, clock: Clock, renew: Callable[[], str], life_ms: Millis) -> None:
        self._path, self._clock, self._renew, self._life_ms = path, clock, renew, life_ms
        self._again_at, self._trouble = Millis(0), ""

    def __call__(self) -> str:
        """Return a token that has not expired.

        Raises:
            SlurmTokenUnusable: there is none, others can read it, or it has expired and cannot be renewed here.
        """
        token, now = self._read(), self._clock.now()
        end = None if token is None else ends_at(token)
        if token is not None and (end is None or now < end - self._life_ms // RENEW_SHARE):
            return token
        fresh = self._try_to_renew(now)
        if fresh is not None:
            return fresh
        if token is None:
            raise SlurmTokenUnusable(f"there is no token in {self._path}: {self._remedy()}")
        if end is not None and now >= end:
            raise SlurmTokenUnusable(
                f"the token in {self._path} expired {(now - end) // 1000} s ago: {self._remedy()}; the daemon goes on by itself then"
            )
        return token

    def _read(self) -> str | None:
        try:
            with self._path.open(encoding="ascii", errors="replace") as file:
                found = os.fstat(file.fileno())
                text = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SlurmTokenUnusable(f"the token in {self._path} cannot be read: {error.strerror}") from error
        if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
            raise SlurmTokenUnusable(
                f"{self._path} lets others be you at this cluster: make it yours alone (chmod 600 {self._path}),"
                " and if others may have read it, have the token revoked"
            )
        try:
            return parse_token(text)
        except SlurmTokenUnusable as error:
            raise SlurmTokenUnusable(f"{self._path}: {error}") from None

    def _try_to_renew(self, now: Millis) -> str | None:
        """Make a fresh token and keep it; None where that is not allowed or cannot be done now."""
        if now < self._again_at:
            return None
        self._again_at = Millis(now + AGAIN_MS)
        try:
            fresh = parse_token(self._renew())
            write_atomically(self._path, f"{fresh}\n".encode(), mode=0o600)
        except (SlurmAway, SlurmRefused, SlurmTokenUnusable, OSError) as error:
            self._trouble = str(error)
            return None
        self._again_at = Millis(0)
        return fresh

    def _remedy(self) -> str:
        tried = f" (idleq cannot: {self._trouble})" if self._trouble else ""
        return f"type `umask 077; scontrol token lifespan={self._life_ms // 1000} > {self._path}`{tried}"
