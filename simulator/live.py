"""The embedded cluster as a process of its own: one lock, one socket, one loop.

It outlives the daemon; killed itself, it is started again by the daemon.
"""

import contextlib
import fcntl
import os
import selectors
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from idleq.ids import Millis
from idleq.processes import adopt_orphans
from idleq.scheduler.clock import SystemClock
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.paths import ClusterPaths, ServerPaths
from idleq.simulator.book import Book
from idleq.simulator.errors import ClusterRunning
from idleq.simulator.host import Host
from idleq.simulator.livecluster import LiveCluster, kept_records
from idleq.simulator.settings import read_settings
from idleq.simulator.wire import LONGEST_LINE, Answer, Call, Refusal, pack, short_name, unpack

ANSWER_TIMEOUT_S = 5.0
"""A peer that does not take its answer for so long is left alone."""

_CHUNK = 1 << 16


def run(server_dir: Path) -> None:
    """Be the embedded cluster of *server_dir* until it is told to stop.

    Raises:
        ClusterRunning: another process is.
        BadSettings: there are no settings for it, or no world can be made of them.
        BadRecords: what an earlier life left cannot be read.
    """
    paths = ServerPaths(server_dir).cluster
    settings = read_settings(server_dir)
    with _only_one(paths.lock), _wake_up() as wake:
        adopt_orphans()
        paths.nodes.mkdir(mode=0o700, exist_ok=True)
        records = kept_records(Book.read(paths.allocations), settings.start)
        book = Book.rewrite(paths.allocations, records)
        cluster = LiveCluster(
            settings, SystemClock(), Host(paths, settings.agent_argv, settings.grace_ms), book, records
        )
        with _listening(paths) as listener:
            server = _Server(cluster, listener, wake)
            try:
                server.serve()
            finally:
                cluster.end()


class _Server:
    """Waits for peers, signals and the world's next moment, whichever comes first."""

    def __init__(self, cluster: LiveCluster, listener: socket.socket, wake: socket.socket) -> None:
        self._cluster = cluster
        self._selector = selectors.DefaultSelector()
        self._buffers: dict[socket.socket, bytearray] = {}
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(wake, selectors.EVENT_READ, self._woken)

    def serve(self) -> None:
        """Serve until the cluster is stopping."""
        while not self._cluster.is_stopping:
            for key, _ in self._selector.select(_seconds(self._cluster.nap_ms())):
                act: Callable[[socket.socket], None] = key.data
                peer = key.fileobj
                assert isinstance(peer, socket.socket)
                act(peer)
            self._cluster.turn()

    def _woken(self, wake: socket.socket) -> None:
        if {signal.SIGTERM, signal.SIGINT} & set(wake.recv(_CHUNK)):
            self._cluster.is_stopping = True

    def _accept(self, listener: socket.socket) -> None:
        peer, _ = listener.accept()
        peer.settimeout(ANSWER_TIMEOUT_S)
        self._buffers[peer] = bytearray()
        self._selector.register(peer, selectors.EVENT_READ, self._read)

    def _read(self, peer: socket.socket) -> None:
        buffer = self._buffers[peer]
        try:
            chunk = peer.recv(_CHUNK)
            buffer += chunk
            while (end := buffer.find(b"\n")) >= 0:
                line = bytes(buffer[:end])
                del buffer[: end + 1]
                peer.sendall(pack(self._answer(line)))
        except OSError:
            # Killed in the middle of a request, or it does not listen: it asks again when it lives again.
            chunk = b""
        if not chunk or len(buffer) > LONGEST_LINE:
            self._selector.unregister(peer)
            del self._buffers[peer]
            peer.close()

    def _answer(self, line: bytes) -> Answer:
        try:
            call: Call = unpack(line, Call)
        except BadMessage as error:
            return Refusal(reason=f"the cluster does not understand: {error}", transient=False)
        return self._cluster.answer(call)


def _seconds(duration: Millis) -> float:
    return duration / 1000


@contextlib.contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterRunning(f"another process holds {lock}: this cluster runs already") from None
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _wake_up() -> Iterator[socket.socket]:
    """Give a socket that becomes readable on SIGTERM, SIGINT and the end of a child; what was before is put back."""
    ours, kernel = socket.socketpair()
    ours.setblocking(False)
    kernel.setblocking(False)
    watched = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
    before = {number: signal.signal(number, lambda *_: None) for number in watched}
    descriptor = signal.set_wakeup_fd(kernel.fileno(), warn_on_full_buffer=False)
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)
        ours.close()
        kernel.close()


@contextlib.contextmanager
def _listening(paths: ClusterPaths) -> Iterator[socket.socket]:
    # The lock is ours, so that a socket file can only be one that a killed process has left.
    paths.socket.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, short_name(paths.socket) as name:
        before = os.umask(0o177)
        try:
            listener.bind(name)
        finally:
            os.umask(before)
        listener.listen(16)
        try:
            yield listener
        finally:
            paths.socket.unlink(missing_ok=True)
