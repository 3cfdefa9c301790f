"""People freeze and move what runs, on real agents, and the daemon is killed right after it said yes: it comes to pass all the same."""

import random

import pytest

from idleq.ids import EntryId
from idleq.scheduler.core.facts import SegmentFrozen
from support.accepted import Crowd, count, job_of, row_of, starts, state_of
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
    entry = crowd.add(count(120))
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
