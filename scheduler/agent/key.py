"""What lets the agent in: a token in a file that only its own user can read, or one that lies nowhere but in this process."""

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path

from idleq.scheduler.agent.errors import AllocationUnknown

PR_SET_DUMPABLE = 4

Exchange = Callable[[str], str]
"""Gives the daemon a ticket, and returns the token that is had for it; raises what a broken line raises."""

Key = Callable[[Exchange], str]
"""Returns the token."""


def from_file(path: Path) -> Key:
    """Return the key that the daemon left in *path*, for agents of its own user."""
    return lambda _exchange: path.read_text(encoding="ascii").strip()


class FromTicket:
    """The key of an agent of another user: the ticket came with the script, which that user's guests can read too.

    It is exchanged before there are any guests, and is good for nothing afterwards; see `keep_to_ourselves`.
    """

    def __init__(self, ticket: str) -> None:
        self._ticket, self._token, self._lock = ticket, "", threading.Lock()

    def __call__(self, exchange: Exchange) -> str:
        """Return the token, of which there is one for all threads."""
        with self._lock:
            self._token = self._token or exchange(self._ticket)
            return self._token


def keep_to_ourselves() -> None:
    """Let no other process of this user look into this one's memory or environment; root can.

    Raises:
        AllocationUnknown: this system does not offer it, so what lets us in would be our guests' too.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise AllocationUnknown("this system cannot keep the agent's token from its guests (prctl PR_SET_DUMPABLE)")
