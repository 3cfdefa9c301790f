"""The agent's line over HTTPS: one connection kept open, to the very daemon whose certificate the server directory shows."""

import http.client
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import msgspec

from idleq.ids import AllocationId, CommandId, Millis
from idleq.scheduler import codec
from idleq.scheduler.agent.key import Key
from idleq.scheduler.agent.link import Answer, LinkDown
from idleq.scheduler.agent.reports import Report
from idleq.scheduler.core.commands import AgentCommand
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.pinning import pinned

ANSWER_SECONDS = 15.0
"""A daemon that takes longer than this and the asked wait is as good as away."""


@dataclass(frozen=True, slots=True)
class Door:
    """The part of access.json that an agent needs."""

    url: str
    certificate: str


@dataclass(frozen=True, slots=True)
class Renewed:
    """The answer to a ticket."""

    token: str


@dataclass(frozen=True, slots=True)
class Told:
    """A command as it travels."""

    id: CommandId
    kind: str
    body: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it travels."""

    taken: int
    commands: tuple[Told, ...]
    lease_ms: Millis
    leave: bool
    daemon: str = ""
    epoch: int = 0


@dataclass(slots=True)
class ApiLink:
    """Implements Link; where the daemon listens is looked up again whenever the line has broken."""

    door: Path
    key: Key
    allocation: AllocationId
    boot: str
    _connection: http.client.HTTPSConnection | None = None
    _headers: dict[str, str] = field(default_factory=dict)

    def exchange(self, reports: Sequence[Report], have: Sequence[CommandId], wait_ms: Millis) -> Answer:
        """See Link."""
        body = request_body(self.boot, reports, have, wait_ms)
        try:
            return parse_answer(self._post(body, ANSWER_SECONDS + wait_ms / 1000))
        except (OSError, ValueError, http.client.HTTPException, BadMessage) as error:
            self.close()
            raise LinkDown(f"{type(error).__name__}: {error}") from error
        except LinkDown:
            self.close()
            raise

    def close(self) -> None:
        """Hang up; the next exchange dials again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes, seconds: float) -> bytes:
        connection = self._connection
        if connection is None or connection.sock is None:  # who answers may hang up with the answer
            connection = self._dial()
        assert connection.sock is not None
        connection.sock.settimeout(seconds)
        connection.request("POST", f"/v1/agents/{self.allocation}/sync", body, self._headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != http.client.OK:
            raise LinkDown(f"the daemon answers {response.status} {response.reason}: {answer[:500]!r}")
        return answer

    def _dial(self) -> http.client.HTTPSConnection:
        door = codec.from_json(self.door.read_bytes(), Door)
        where = urlsplit(door.url)
        self._connection = connection = http.client.HTTPSConnection(
            where.hostname or "", where.port, timeout=ANSWER_SECONDS, context=pinned(door.certificate)
        )
        connection.connect()
        self._headers = headers(self.key(lambda ticket: self._renewed(connection, ticket)))
        return connection

    def _renewed(self, connection: http.client.HTTPSConnection, ticket: str) -> str:
        connection.request("POST", f"/v1/agents/{self.allocation}/token", b"{}", headers(ticket))
        response = connection.getresponse()
        answer = response.read()
        if response.status != http.client.OK:
            raise LinkDown(f"the daemon does not take the ticket: {response.status} {response.reason}")
        return codec.from_json(answer, Renewed).token


def headers(token: str) -> dict[str, str]:
    """Return what goes with a request of who has *token*."""
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def request_body(boot: str, reports: Sequence[Report], have: Sequence[CommandId], wait_ms: Millis) -> bytes:
    """Return what is sent; the reports are JSON already."""
    return b'{"boot":%s,"reports":[%s],"have":%s,"wait_ms":%d}' % (
        msgspec.json.encode(boot),
        b",".join(report.line for report in reports),
        msgspec.json.encode(have),
        wait_ms,
    )


def parse_answer(body: bytes) -> Answer:
    """Return what the daemon says.

    Raises:
        BadMessage: it makes no sense to this version.
    """
    reply = codec.from_json(body, Reply)
    commands = tuple(codec.decode(told.kind, bytes(told.body), AgentCommand) for told in reply.commands)
    return Answer(
        taken=reply.taken,
        commands=cast("tuple[AgentCommand, ...]", commands),
        lease_ms=reply.lease_ms,
        leave=reply.leave,
        daemon=reply.daemon,
        epoch=reply.epoch,
    )
