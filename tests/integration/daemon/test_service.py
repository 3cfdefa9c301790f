"""The daemon as clients and agents see it: real HTTPS, a real SQLite journal, its loop and its threads."""

import json
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from idleq.ids import AllocationId, JobId, Millis
from idleq.scheduler import codec
from idleq.scheduler.api.client import Client
from idleq.scheduler.api.server import listen
from idleq.scheduler.api.tls import ensure_certificate
from idleq.scheduler.clock import SteadyClock
from idleq.scheduler.config import ServerSettings
from idleq.scheduler.core.commands import Launch
from idleq.scheduler.core.submission import ArrayRange
from idleq.scheduler.core.wishes import Changes
from idleq.scheduler.errors import (
    BadConfig,
    BadJobFile,
    DaemonAway,
    DaemonRunning,
    PortInUse,
    Refused,
    UnknownTarget,
)
from idleq.scheduler.lock import Owner, hold
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.spool import AgentSpool, Question
from support.daemon import a_job, done, launched, ready
from support.served import Agent, Site

JOB = a_job().submissions[0]


@pytest.fixture
def site(weird_tmp_path: Path) -> Site:
    return Site(weird_tmp_path / "server")


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with site.daemon() as client:
        yield client


def first_agent(site: Site, client: Client) -> Agent:
    """Wait for the first allocation, and return its agent."""
    while not (held := client.status()["summary"]["allocations"]).get("granted"):
        client.wait([JobId("1")], timeout_ms=20)
        assert held is not None
    return site.agent(client, "a1")


def host(site: Site, client: Client) -> tuple[Agent, Launch]:
    """Submit a job and bring it as far as its launch."""
    client.submit([JOB], "r1", "ada")
    agent = first_agent(site, client)
    (launch,) = agent.commands(ready(AllocationId("a1")))
    assert isinstance(launch, Launch)
    return agent, launch


def test_a_job_goes_all_the_way_to_its_result(site: Site, client: Client) -> None:
    agent, launch = host(site, client)
    site.paths.job(launch.job).segment(launch.fence).output.mkdir(parents=True)
    agent.sync(launched(launch), done(launch), have=[launch.id])
    assert client.wait([launch.job], timeout_ms=10_000)["is_over"] is True
    assert str(site.paths.job(launch.job).result.readlink()) == "segments/0001/output"


def test_access_json_is_for_its_owner_only_and_goes_with_the_daemon(site: Site) -> None:
    with site.daemon() as client:
        told = json.loads(site.paths.access.read_bytes())
        assert set(told) == {"url", "token", "certificate", "pid", "started"}
        assert told["url"].startswith("https://127.0.0.1:")
        assert client.status()["pid"] == told["pid"]
        for secret in (site.paths.access, site.paths.key):
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert not site.paths.access.exists()
    with pytest.raises(DaemonAway, match="idleq daemon start"):
        Client.for_directory(site.paths)


def test_a_daemon_that_stopped_is_away(site: Site) -> None:
    with site.daemon() as client:
        access = client.access
    with pytest.raises(DaemonAway):
        site.connect(access).status()


def test_a_stop_by_the_api_is_answered_before_it_happens(site: Site) -> None:
    with site.service() as service:
        stopped: list[str] = []

        def stop() -> None:
            client = Client.for_directory(site.paths)
            client.shut_down()
            stopped.append("answered")
            client.close()

        thread = threading.Thread(target=stop)
        service.run(on_up=thread.start)
        thread.join(30)
    assert stopped == ["answered"]


def test_a_client_shows_its_token_to_no_daemon_with_another_certificate(
    site: Site, client: Client, tmp_path: Path
) -> None:
    other = ServerPaths(tmp_path)
    stranger = ensure_certificate(other, (), Millis(1_767_607_200_000))
    with pytest.raises(DaemonAway, match=r"another program answers at"):
        site.connect(replace(client.access, certificate=stranger)).status()


def test_a_client_speaks_to_no_daemon_without_tls(site: Site, client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]
        plain.listen()

        def serve() -> None:
            peer, _ = plain.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(DaemonAway):
            site.connect(replace(client.access, url=f"https://127.0.0.1:{port}")).status()
        thread.join(30)


def test_to_a_client_with_a_token_of_before_the_daemon_is_away(site: Site, client: Client) -> None:
    with pytest.raises(DaemonAway, match="refuses its token"):
        site.connect(replace(client.access, token="guessed")).status()


def test_the_certificate_satisfies_strict_verification(client: Client) -> None:
    context = ssl.create_default_context(cadata=client.access.certificate)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    port = int(client.access.url.rpartition(":")[2])
    for name in ("127.0.0.1", "localhost", socket.gethostname()):
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            assert secure.version() == "TLSv1.3"


def test_a_connection_that_the_daemon_gave_up_is_made_anew(client: Client) -> None:
    client.status()
    assert client._connection is not None
    client._connection.sock.shutdown(socket.SHUT_WR)
    assert client.status()["summary"]["jobs"] == {}


def test_no_answer_waits_for_the_kernels_timers() -> None:
    """asyncio turns Nagle's algorithm off only on sockets that say that they are TCP's."""
    with listen("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


def test_the_errors_of_the_daemon_are_raised_as_what_they_are(client: Client) -> None:
    with pytest.raises(UnknownTarget, match="there is no job 7"):
        client.cancel(JobId("7"))
    with pytest.raises(BadJobFile, match="nothing was submitted"):
        client.submit([structs.replace(JOB, after_here=(0,))], "r1", "ada")


def test_every_call_of_the_client_has_its_route(site: Site, client: Client) -> None:
    agent, launch = host(site, client)
    client.pause(reason="maintenance")
    client.resume()
    assert client.submit([structs.replace(JOB, array=ArrayRange(0, 99_999))], "r2", "ada")["entries"] == [2]
    client.hold(JobId("2"), "not yet")
    assert "not yet" in json.dumps(client.explain(JobId("2_5")))
    client.release(JobId("2"))
    with pytest.raises(Refused, match="no other node can host job 1 now"):
        client.move(launch.job)
    with pytest.raises(UnknownTarget, match="there is no node n99"):
        client.move(launch.job, "n99")
    client.modify(launch.job, Changes(priority=5))
    assert client.job(launch.job)["job"]["spec"]["priority"] == 5
    client.freeze(launch.job, "look")
    assert "look" in json.dumps(client.explain(launch.job))
    client.cancel(JobId("2"))
    assert client.job(JobId("2"))["entry"]["is_over"] is False
    assert client.jobs()["jobs"][0]["id"] == launch.job
    assert client.nodes()["nodes"][0]["guests"][0] == launch.job
    assert agent.sync()["leave"] is False


def test_a_restart_owes_what_was_journalled_and_not_delivered(site: Site) -> None:
    with site.daemon() as client:
        _, launch = host(site, client)
    with site.daemon() as client:
        agent = site.agent(client, "a1")
        assert agent.commands() == [launch]
        agent.told = 1
        agent.sync(launched(launch), done(launch), have=[launch.id])
        assert client.wait([launch.job], timeout_ms=10_000)["jobs"][0]["done"] == 1


def test_a_report_found_only_in_its_file_after_a_restart_counts(site: Site) -> None:
    with site.daemon() as client:
        _, launch = host(site, client)
    said = [ready(AllocationId("a1")), launched(launch), done(launch)]
    lines = [
        codec.to_json({"number": number, "kind": type(one).__name__, "body": codec.to_plain(one)})
        for number, one in enumerate(said, start=1)
    ]
    site.paths.allocation(AllocationId("a1")).reports.write_bytes(b"\n".join(lines) + b"\n")
    site.cluster.alive.clear()  # the node died, and its agent with it
    with site.daemon() as client:
        waited = client.wait([launch.job], timeout_ms=10_000)
    assert (waited["jobs"][0]["done"], waited["is_over"]) == (1, True)


def test_the_token_of_an_agent_outlives_the_daemon_and_that_of_people_does_not(site: Site) -> None:
    with site.daemon() as client:
        host(site, client)
        old = client.access
    with site.daemon() as client:
        assert site.agent(client, "a1").sync()["leave"] is False
        with pytest.raises(DaemonAway):
            site.connect(replace(client.access, token=old.token)).status()


def test_an_agent_that_waits_is_answered_when_the_daemon_stops(site: Site) -> None:
    answers: list[object] = []
    with site.daemon() as client:
        agent, launch = host(site, client)
        agent.sync(launched(launch), have=[launch.id])
        other = site.agent(client, "a1")
        thread = threading.Thread(target=lambda: answers.append(other.sync(wait_ms=29_000)["leave"]))
        thread.start()
        client.wait([launch.job], timeout_ms=100)
    thread.join(10)
    assert answers == [False]


def test_a_port_in_use_is_said_and_nothing_begun(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.server = ServerSettings(port=taken.getsockname()[1])
        with site.service() as service, pytest.raises(PortInUse, match=r"server\.port"):
            service.run()
    assert not site.paths.access.exists()
    assert site.cluster.is_first


def test_two_daemons_cannot_serve_one_directory(site: Site) -> None:
    us, lock = Owner.this_process(), site.paths.lock
    site.paths.create()
    with hold(lock, us), pytest.raises(DaemonRunning, match="idleq daemon stop"), hold(lock, us):
        raise AssertionError


def test_one_cycle_hears_decides_and_delivers_by_files(site: Site) -> None:
    site.server = ServerSettings(transport="spool")
    with site.daemon() as client:
        client.submit([JOB], "r1", "ada")
        first_agent(site, client)
    folder = site.paths.allocation(AllocationId("a1"))
    spool = AgentSpool(folder)
    body = codec.to_plain(ready(AllocationId("a1")))
    folder.reports.write_bytes(codec.to_json({"number": 1, "kind": "AgentReady", "body": body}) + b"\n")
    spool.ask(Question(beat=1))
    once(site)
    (launch,) = spool.commands()
    assert isinstance(launch, Launch)
    answer = spool.answer()
    assert answer is not None
    assert (answer.beat, answer.taken, answer.leave) == (1, 1, False)
    spool.take([launch.id])
    with folder.reports.open("ab") as file:
        told = codec.to_json({"number": 2, "kind": "Exited", "body": codec.to_plain(done(launch))})
        file.write(told + b"\n")
    once(site)
    assert site.paths.job(launch.job).result.is_symlink()
    assert not site.paths.access.exists()


def once(site: Site) -> None:
    """Do one cycle, as cron would."""
    site.cluster.is_first = True
    with site.service() as service:
        service.once(until=SteadyClock().now())


def test_one_cycle_needs_agents_that_speak_by_files(site: Site) -> None:
    with site.service() as service, pytest.raises(BadConfig, match="spool"):
        service.once(until=Millis(0))
