import ssl
from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.scheduler.agent import api_link
from idleq.scheduler.api import client
from idleq.scheduler.api.tls import ensure_certificate
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.pinning import pinned

NOW = Millis(1_767_607_200_000)


@pytest.fixture
def paths(tmp_path: Path) -> ServerPaths:
    paths = ServerPaths(tmp_path / "ours")
    paths.create()
    return paths


def handshake(server: ServerPaths, trusted: str, name: str) -> None:
    """Let a client that trusts *trusted* speak to *server* as *name*; raise what the client raises."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = pinned(trusted).wrap_bio(to_client, to_server, server_hostname=name)
    theirs = context.wrap_bio(to_server, to_client, server_side=True)
    for side in (ours, theirs, ours):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


def test_the_pinned_certificate_is_trusted_under_its_own_names(paths: ServerPaths) -> None:
    certificate = ensure_certificate(paths, ("login1",), NOW)
    for name in ("127.0.0.1", "localhost", "login1"):
        handshake(paths, certificate, name)


def test_a_name_that_the_certificate_does_not_bear_is_refused(paths: ServerPaths) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="login2"):
        handshake(paths, ensure_certificate(paths, ("login1",), NOW), "login2")


def test_another_certificate_of_the_same_names_is_refused(paths: ServerPaths, tmp_path: Path) -> None:
    other = ServerPaths(tmp_path / "other")
    other.create()
    ensure_certificate(other, (), NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(other, ensure_certificate(paths, (), NOW), "localhost")


def test_clients_and_agents_trust_by_the_same_rules() -> None:
    assert client.pinned is api_link.pinned is pinned  # type: ignore[attr-defined] # both only use it
