"""People freeze and move what runs, on real agents, and the daemon is killed right after it said yes: it comes to pass all the same."""

import random

import pytest

from idleq.ids import EntryId
from idleq.scheduler.core.facts import FreezeGivenUp, SegmentFrozen
from idleq.scheduler.core.submission import FreezeMethod, JobSpec, Submission
from support.accepted import ROOM, Crowd, count, job_of, row_of, running, starts, state_of
from support.containers import NO_CRIU
from support.faults import SAME
from support.real_server import RealServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("cluster")]


def until_under_way(server: RealServer, entry: EntryId, segment: int) -> None:
    """Wait until the job's segment of that number has done something."""
    server.until(lambda: state_of(server, entry) == "running" and len(starts(server, entry)) == segment)
    first = row_of(server, entry)["step"]
    server.until(lambda: row_of(server, entry)["step"] > first)


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_job_that_is_frozen_and_moved_twice_gives_the_undisturbed_result(
    server: RealServer, *, is_killed: bool
) -> None:
    crowd = Crowd(server, random.Random(0))
    entry = crowd.add(count(600))  # longer than three restarts of a daemon on a busy machine
    job = job_of(entry)

    def after_yes() -> None:
        if is_killed:
            server.kill_daemon()

    until_under_way(server, entry, 1)
    server.ask(lambda client: client.freeze(job, "look"))
    after_yes()
    server.until(lambda: state_of(server, entry) == "held")
    server.ask(lambda client: client.release(job))
    until_under_way(server, entry, 2)
    server.ask(lambda client: client.move(job))
    after_yes()
    until_under_way(server, entry, 3)
    home, away = (start.node for start in starts(server, entry)[1:])
    server.ask(lambda client: client.move(job, home))
    after_yes()
    until_under_way(server, entry, 4)
    crowd.check()

    frozen = [fact.reason for fact in server.facts_of(SegmentFrozen)]
    assert frozen == ["look", f"moved off {home}", f"moved to {home}"]
    assert away != home
    assert starts(server, entry)[3].node == home
    assert (server.end(), server.faults.verdict.read_text()) == ({}, SAME)


@NO_CRIU
@pytest.mark.parametrize("is_killed", [False, True])
def test_a_job_that_its_node_cannot_freeze_runs_on_when_that_is_wished_and_ends_its_segment_when_it_is_held(
    server: RealServer, *, is_killed: bool
) -> None:
    spec = JobSpec(name="deaf", argv=("sleep", "600"), resources=ROOM, freeze=FreezeMethod.AUTO)
    entry, pid = running(server, Submission(spec=spec))
    job = job_of(entry)

    server.ask(lambda client: client.move(job))
    if is_killed:
        server.kill_daemon()
    server.until(lambda: "could not be, so it runs on" in str(server.ask(lambda client: client.explain(job))))
    assert (state_of(server, entry), server.guest_of(job)) == ("running", pid)
    server.ask(lambda client: client.hold(job))
    server.until(lambda: state_of(server, entry) == "held")
    assert server.guest_of(job) is None
    server.ask(lambda client: client.cancel(job))

    assert [fact.reason for fact in server.facts_of(FreezeGivenUp)] == ["it has no handler for SIGUSR1"]
    assert (server.end(), server.faults.verdict.read_text()) == ({}, SAME)
