"""Serves the API in a thread of its own."""

import asyncio
import errno
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from idleq.scheduler.api.bell import Bell
from idleq.scheduler.errors import DaemonAway, PortInUse

BACKLOG = 1024
"""Every agent of a large cluster may come at once after a restart."""

GRACE_S = 2
"""What requests under way get at a stop; those that wait are woken, so this is for the network only."""


def listen(address: str, port: int) -> socket.socket:
    """Return a socket that is bound to *port*, or to any that is free if that is 0.

    Raises:
        PortInUse: somebody else has it, or it is not ours to have.
    """
    host = "127.0.0.1" if address == "localhost" else address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns off the kernel's waiting for more to send, which costs 40 ms an answer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
            raise
        message = f"{address} port {port}: {error.strerror}; set server.port to another one in config.toml, or to 0"
        raise PortInUse(message) from error
    return bound


def url_of(bound: socket.socket) -> str:
    """Return where clients reach *bound*."""
    host, port = bound.getsockname()[:2]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


class ApiServer:
    """The API on one socket, from `start` to `stop`."""

    def __init__(self, app: ASGIApp, bell: Bell, bound: socket.socket, key: Path, certificate: Path) -> None:
        config = uvicorn.Config(
            app,
            ssl_keyfile=str(key),
            ssl_certfile=str(certificate),
            loop="asyncio",
            http="h11",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = _Server(config, bell)
        self._thread = threading.Thread(
            target=self._server.serve_until_stopped, args=([bound],), name="api", daemon=True
        )

    def start(self) -> None:
        """Return once it listens."""
        self._thread.start()
        self._server.is_up.wait()
        if not self._server.started:
            raise DaemonAway("the API did not start; daemon.log in the server directory says why")

    def stop(self) -> None:
        """Take no more requests, end those that wait, and return when all is over."""
        loop = self._server.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._server.leave)
        self._thread.join()


class _Server(uvicorn.Server):
    """Says when it listens, and hands its loop to the bell."""

    def __init__(self, config: uvicorn.Config, bell: Bell) -> None:
        super().__init__(config)
        self.is_up = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._bell = bell
        self._is_over = asyncio.Event()

    def serve_until_stopped(self, sockets: list[socket.socket]) -> None:
        try:
            self.run(sockets)
        finally:
            self.is_up.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self._bell.attach(self.loop)
        await super().startup(sockets=sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        """Wait for `leave`: uvicorn's own looks ten times a second, which a daemon with nothing to do need not."""
        await self._is_over.wait()

    def leave(self) -> None:
        """Wake those that wait, and serve nobody any more; called in its own thread."""
        self.should_exit = True
        self._bell.close()
        self._is_over.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hang_up(lambda connection: connection.cycle is None or connection.cycle.response_complete)
        await super().shutdown(sockets=sockets)
        self._hang_up(lambda _connection: True)
        await asyncio.sleep(0)  # the loop lets go of them in its next round

    def _hang_up(self, which: Callable[[Any], bool]) -> None:
        """Cut connections off: to take leave by TLS's rules, both sides would have to read, and idle clients do not."""
        for connection in list(self.server_state.connections):
            if which(connection):
                connection.transport.abort()
