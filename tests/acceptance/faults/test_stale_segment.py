"""An agent that slept through its lease: what it has to say about its segments counts no more."""

import os
import signal

import pytest

from idleq.scheduler.core.facts import JobDone, SegmentLost
from support.accepted import count, running, script, starts
from support.faults import SAME
from support.real_server import RealServer, quick

from .conftest import MakeServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("cluster")]


@pytest.fixture
def server(make_server: MakeServer) -> RealServer:
    """Two nodes of one core, whose agents stay when there is nothing to do."""
    config = quick(lease="4s", nodes=2, cores=1)
    return make_server(config.replace('linger = "500ms"', 'linger = "5m"'))


def test_a_result_that_comes_after_the_lease_is_refused(server: RealServer) -> None:
    entry, guest = running(server, script("sleep 4; echo $$ > out"))
    (sleeper,) = server.processes("agent")
    # A second agent, which stays and has room once this is over; the first job ends while its agent sleeps.
    other, _ = running(server, count(3))
    server.until_over([other])
    (cluster,) = server.processes("cluster")
    os.kill(cluster, signal.SIGSTOP)  # else it would end the sleeper as soon as the daemon gives it up
    os.kill(sleeper, signal.SIGSTOP)
    try:
        server.await_end(guest)
        server.until(lambda: len(starts(server, entry)) == 2)
        second = server.until(lambda: server.guest_of(str(entry)))
        first, again = starts(server, entry)
        reports = server.paths.allocation(first.allocation).reports
        os.kill(sleeper, signal.SIGCONT)
        server.until(lambda: b'"Exited"' in reports.read_bytes())
        assert server.guest_of(str(entry)) == second
    finally:
        os.kill(cluster, signal.SIGCONT)
    server.until_over([entry])
    (done,) = [fact for fact in server.facts_of(JobDone) if fact.job == str(entry)]
    (lost,) = server.facts_of(SegmentLost)
    assert (lost.fence, done.fence) == (first.fence, again.fence)
    where = server.paths.job(done.job)
    assert str(where.result.readlink()) == f"segments/{again.fence:04d}/output"
    assert int((where.result / "out").read_text()) == second
    # The stale one had put its output away, in its own directory, where it stays.
    assert int((where.segment(first.fence).output / "out").read_text()) == guest
    assert (server.end(), server.faults.verdict.read_text()) == ({}, SAME)
