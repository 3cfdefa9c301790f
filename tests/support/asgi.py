"""Calls an ASGI application without a network."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Caller:
    """Calls *app* as one who shows *token*."""

    app: ASGIApp
    token: str | None = None

    def get(self, path: str) -> Reply:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Reply:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.call("POST", path, raw)

    def call(
        self, method: str, path: str, body: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None
    ) -> Reply:
        return asyncio.run(asyncio.wait_for(self.exchange(method, path, body, headers), timeout=30))

    async def exchange(
        self, method: str, path: str, body: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None
    ) -> Reply:
        shown = [] if self.token is None else [(b"authorization", f"Bearer {self.token}".encode())]
        plain, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": plain,
            "raw_path": plain.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": shown if headers is None else headers,
            "server": ("127.0.0.1", 1),
            "client": ("127.0.0.1", 2),
        }
        told: list[Message] = []
        parts = [body[start : start + 65536] for start in range(0, len(body), 65536)] or [b""]

        async def receive() -> Message:
            if parts:
                return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            told.append(message)

        await self.app(scope, receive, send)
        content = b"".join(message.get("body", b"") for message in told if message["type"] == "http.response.body")
        return Reply(told[0]["status"], content)
