"""One process is killed, and all others go on: daemon, agent, cluster."""

import os
import random
import signal

import pytest

from idleq.scheduler.core.facts import JobDone, SegmentLost
from support.accepted import Crowd, count, freeze, job_of, running, script, starts, state_of
from support.faults import SAME
from support.real_server import RealServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("cluster")]

FOR_EVER = 100_000


def test_guests_go_on_without_a_daemon_and_the_next_one_finds_them_and_what_ended_meanwhile(server: RealServer) -> None:
    goes_on, its_pid = running(server, count(FOR_EVER))
    ends, other_pid = running(server, script("sleep 2; echo whole > out"))
    agents = server.processes("agent")
    server.kill_daemon()
    server.await_end(other_pid)
    server.keep_up()
    server.until_over([ends])
    assert (server.processes("agent"), server.guest_of(str(goes_on))) == (agents, its_pid)
    assert state_of(server, goes_on) == "running"
    assert [len(starts(server, entry)) for entry in (goes_on, ends)] == [1, 1]
    assert [done.job for done in server.facts_of(JobDone)] == [str(ends)]
    server.ask(lambda client: client.cancel(job_of(goes_on)))
    server.until_over([goes_on])
    assert (server.end(), server.faults.verdict.read_text()) == ({}, SAME)


def test_guests_of_a_killed_agent_die_with_it_and_the_job_goes_on_from_its_last_snapshot(server: RealServer) -> None:
    crowd = Crowd(server, random.Random(0))
    entry = crowd.add(count(60))
    freeze(server, entry)
    server.ask(lambda client: client.release(job_of(entry)))
    guest = server.until(lambda: server.guest_of(str(entry)))
    server.until(lambda: state_of(server, entry) == "running")
    assert server.kill_one("agent", random.Random(0))
    server.await_end(guest)
    crowd.check()
    first, second, third = starts(server, entry)
    (lost,) = server.facts_of(SegmentLost)
    assert (first.thaw_from, lost.fence) == (None, second.fence)
    assert third.thaw_from is not None
    assert third.thaw_from >= (second.thaw_from or "")
    assert third.allocation != second.allocation
    assert (server.end(), server.faults.verdict.read_text()) == ({}, SAME)


def test_a_killed_cluster_is_started_by_the_same_daemon_and_finds_its_agents(server: RealServer) -> None:
    entry, guest = running(server, count(FOR_EVER))
    agents, (cluster,), daemon = server.processes("agent"), server.processes("cluster"), server.daemon_pid
    os.kill(cluster, signal.SIGKILL)
    server.await_end(cluster)
    server.until(lambda: server.processes("cluster"))
    after, _ = running(server, count(5))
    server.until_over([after])
    assert (server.processes("agent"), server.guest_of(str(entry))) == (agents, guest)
    assert (server.daemon_pid, len(starts(server, entry))) == (daemon, 1)
    assert server.facts_of(SegmentLost) == []
    server.ask(lambda client: client.cancel(job_of(entry)))
    server.until_over([entry])
    assert (server.end(), server.faults.verdict.read_text()) == ({}, SAME)
