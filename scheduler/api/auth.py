"""Tokens: one for people, and one per allocation for its agent. Without the right one there is no answer but "no"."""

import asyncio
import hmac
import secrets
import threading
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from idleq.ids import AllocationId
from idleq.scheduler.api.answers import failure
from idleq.scheduler.atomic import write_atomically
from idleq.scheduler.errors import AccessDenied, BadMessage
from idleq.scheduler.paths import ServerPaths

AGENTS = "/v1/agents/"
SCHEME, MUNGE = b"Bearer ", b"Munge "
USER = "idleq.user"
"""Where the gate leaves in the scope which of a site's users asks; nobody is there where the daemon's own user does."""

Identify = Callable[[bytes], str | None]


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(32)


class AgentTokens:
    """The agents' tokens, each in its allocation's directory; they outlive the daemon."""

    def __init__(self, paths: ServerPaths) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._known: dict[AllocationId, bytes] = {}

    def make(self, allocation: AllocationId) -> None:
        """Give *allocation* a token, if it has none, where its agent will look for it."""
        where = self._paths.allocation(allocation)
        where.root.mkdir(mode=0o700, exist_ok=True)
        if not where.token.exists():
            write_atomically(where.token, new_token().encode(), mode=0o600)

    def renew(self, allocation: AllocationId) -> str:
        """Return another token, by which alone the agent is let in from now on: who knew the former one has nothing any more."""
        token = new_token()
        write_atomically(self._paths.allocation(allocation).token, token.encode(), mode=0o600)
        self.forget(allocation)
        return token

    def matches(self, allocation: AllocationId, token: bytes) -> bool:
        """Whether *token* is that of *allocation*; how long this takes does not depend on how much of it is right."""
        known = self._of(allocation)
        return known is not None and hmac.compare_digest(known, token)

    def forget(self, allocation: AllocationId) -> None:
        """The allocation is over: its token need not be known by heart; its file stays, so that a late agent is told to leave."""
        with self._lock:
            self._known.pop(allocation, None)

    def _of(self, allocation: AllocationId) -> bytes | None:
        with self._lock:
            known = self._known.get(allocation)
            if known is None:
                known = self._read(allocation)
                if known:
                    self._known[allocation] = known
            return known

    def _read(self, allocation: AllocationId) -> bytes | None:
        try:
            return self._paths.allocation(allocation).token.read_bytes().strip() or None
        except (OSError, BadMessage):
            return None


class Gate:
    """Stands before the whole API: what has no right token learns nothing, not even which paths exist."""

    def __init__(self, app: ASGIApp, people: str, agents: AgentTokens, identify: Identify | None = None) -> None:
        """*identify* tells of a site's user by a credential who that is, None if it is no good; without it there are no such users."""
        self._app, self._identify = app, identify
        self._people = people.encode()
        self._agents = agents
        self._denied: Response = failure(AccessDenied("no token, or not the right one"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        may_enter = scope["type"] == "http" and (
            self._may_enter(scope["path"], shown(scope, SCHEME)) or await self._is_user(scope)
        )
        await (self._app if may_enter else self._denied)(scope, receive, send)

    async def _is_user(self, scope: Scope) -> bool:
        """Whether one of the site's users asks, who is then named in *scope*; agents are no users."""
        credential = shown(scope, MUNGE)
        if self._identify is None or not credential or scope["path"].startswith(AGENTS):
            return False
        user = await asyncio.to_thread(self._identify, credential)
        scope[USER] = user
        return bool(user)

    def _may_enter(self, path: str, token: bytes) -> bool:
        if path.startswith(AGENTS):
            allocation, _, _ = path.removeprefix(AGENTS).partition("/")
            return self._agents.matches(AllocationId(allocation), token)
        return hmac.compare_digest(self._people, token)


def shown(scope: Scope, scheme: bytes) -> bytes:
    """Return what a request shows of that *scheme*; nothing if it shows none, or more than one."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(values) != 1 or not values[0].startswith(scheme):
        return b""
    return bytes(values[0].removeprefix(scheme).strip())
