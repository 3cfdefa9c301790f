"""A killed daemon's port may go to another program: then no daemon answers, and one can be started."""

import json
import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idleq.ids import Millis
from idleq.scheduler.api.tls import ensure_certificate
from idleq.scheduler.paths import ServerPaths

LOCAL = "[cluster]\nkind = 'local'\ncores = 1\nmemory = '512M'\n"


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands with whoever comes, until the listener is closed."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            try:
                context.wrap_socket(peer, server_side=True).close()
            except OSError:
                continue  # whoever came did not like the certificate


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[int]:
    """The port of another user's daemon: TLS, with a certificate of its own."""
    paths = ServerPaths(tmp_path)
    ensure_certificate(paths, ("127.0.0.1",), Millis(1_767_607_200_000))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(paths.certificate, paths.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, context), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(30)


def test_a_daemon_is_started_where_the_port_of_the_killed_one_is_a_strangers(idleq: Any, stranger: int) -> None:
    idleq.configure(LOCAL)
    killed = idleq("daemon", "start", "--json").json["pid"]
    os.kill(killed, signal.SIGKILL)
    file = idleq.server_dir / "access.json"
    access = json.loads(file.read_text())
    file.write_text(json.dumps(access | {"url": f"https://127.0.0.1:{stranger}"}))

    assert "no daemon serves" in idleq("daemon", "stop").err
    for arguments in (("ps",), ("daemon", "status"), ("submit", "--", "true")):
        outcome = idleq(*arguments)
        assert (outcome.code, outcome.out) == (14, "")
        assert "another program answers at" in outcome.err
        assert "idleq daemon start" in outcome.err

    assert idleq("submit", "--start-daemon", "--memory", "64M", "--", "true").code == 0
    assert idleq("daemon", "status", "--json").json["pid"] != killed
    assert idleq("wait", "1").code == 0
