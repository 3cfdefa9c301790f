import asyncio
from typing import Any

import pytest

from idleq.ids import AllocationId
from idleq.scheduler import codec
from idleq.scheduler.core.commands import AgentCommand, Launch
from idleq.scheduler.core.inputs import Input, JobCancelled, NodeLost
from support.daemon import a_job, done, launched, ready
from support.desk import Desk

A1 = AllocationId("a1")
SYNC = "/v1/agents/a1/sync"


def report(number: int, said: Input) -> dict[str, Any]:
    return {"number": number, "kind": type(said).__name__, "body": codec.to_plain(said)}


def commands(reply: Any) -> list[AgentCommand]:
    return [codec.decode_plain(told["kind"], told["body"], AgentCommand) for told in reply.json["commands"]]


def test_an_agent_gets_its_commands_until_it_says_that_it_has_them(hosting: tuple[Desk, Launch]) -> None:
    desk, launch = hosting
    agent = desk.agent("a1")
    first = agent.post(SYNC, {"boot": "b", "reports": [], "have": [], "wait_ms": 0})
    assert commands(first) == [launch]
    assert {key: first.json[key] for key in ("taken", "lease_ms", "leave", "daemon")} == {
        "taken": 0,
        "lease_ms": 60_000,
        "leave": False,
        "daemon": "d1",
    }
    assert commands(agent.post(SYNC, {})) == [launch]
    assert commands(agent.post(SYNC, {"have": [launch.id]})) == []


def test_reports_are_taken_once_they_are_journalled(hosting: tuple[Desk, Launch]) -> None:
    desk, launch = hosting
    agent = desk.agent("a1")
    told = [report(1, ready(A1)), report(2, launched(launch)), report(3, done(launch))]
    assert agent.post(SYNC, {"reports": told, "have": [launch.id]}).json["taken"] == 3
    assert desk.people.get("/v1/jobs/1").json["job"]["row"]["state"] == "done"
    assert agent.post(SYNC, {"reports": told}).json["taken"] == 3


def test_the_next_command_comes_with_the_reply_to_the_report_that_made_room(hosting: tuple[Desk, Launch]) -> None:
    desk, launch = hosting
    for number in range(2, 6):
        desk.bench.ask(a_job(f"r{number}")).result(timeout=10)
    agent = desk.agent("a1")
    known = [launch.id, *(command.id for command in commands(agent.post(SYNC, {})))]
    reply = agent.post(SYNC, {"reports": [report(1, done(launch))], "have": known})
    assert [(type(command).__name__, command.job) for command in commands(reply)] == [("Launch", "5")]


def test_while_the_journal_is_away_reports_stay_with_the_agent_and_its_lease_goes_on(
    hosting: tuple[Desk, Launch],
) -> None:
    desk, launch = hosting
    desk.bench.journal.cannot_write = True
    told = {"reports": [report(1, launched(launch))], "have": [launch.id]}
    desk.bell.is_closed = True  # nobody waits in this test
    reply = desk.agent("a1").post(SYNC, told)
    assert (reply.status, reply.json["taken"], reply.json["leave"]) == (200, 0, False)
    desk.bench.journal.cannot_write = False
    desk.bench.steady.advance(500)
    assert desk.agent("a1").post(SYNC, told).json["taken"] == 1


def test_an_agent_whose_allocation_is_unknown_or_over_has_to_leave(desk: Desk) -> None:
    reply = desk.agent("a77").post("/v1/agents/a77/sync", {"wait_ms": 30_000})
    assert (reply.json["leave"], reply.json["commands"]) == (True, [])


def test_to_be_heard_renews_the_lease(hosting: tuple[Desk, Launch]) -> None:
    desk, _ = hosting
    desk.bench.steady.advance(50_000)
    desk.agent("a1").post(SYNC, {})
    assert desk.bench.leases.next_end_in() == 62_000


def test_an_agent_on_a_node_that_has_failed_is_told_to_save_and_what_is_left_of_its_lease(
    hosting: tuple[Desk, Launch],
) -> None:
    desk, launch = hosting
    agent = desk.agent("a1")
    agent.post(SYNC, {"reports": [report(1, launched(launch))], "have": [launch.id]})
    desk.bench.ask(NodeLost(allocation=launch.allocation, reason="no ping")).result(timeout=10)
    desk.bench.steady.advance(50_000)
    reply = agent.post(SYNC, {"have": [launch.id]})
    assert [type(command).__name__ for command in commands(reply)] == ["Freeze"]
    assert (reply.json["lease_ms"], reply.json["leave"]) == (10_000, False)


EVIL: list[Any] = [
    b"",
    b"no",
    b"[]",
    b"[" * 100_000,
    {"reports": {}},
    {"reports": [{"number": 1}]},
    {"reports": [{"number": "one", "kind": "Tick", "body": {}}]},
    {"reports": [{"number": 1, "kind": "Tick", "body": {}}]},
    {"reports": [{"number": 1, "kind": "JobCancelled", "body": {"target": "1"}}]},
    {"reports": [{"number": 1, "kind": "Paused", "body": {"empty": True, "reason": ""}}]},
    {"reports": [{"number": 1, "kind": "Exited", "body": {}}]},
    {"reports": [{"number": 1, "kind": "Exited", "body": 7}]},
    {"reports": [report(1, ready(AllocationId("a2")))]},
    {"have": "all"},
    {"wait_ms": "long"},
]


@pytest.mark.parametrize("body", EVIL)
def test_an_evil_body_is_refused_and_changes_nothing(hosting: tuple[Desk, Launch], body: Any) -> None:
    desk, launch = hosting
    desk.bench.events()
    reply = desk.agent("a1").post(SYNC, body)
    assert (reply.status, reply.json["error"]["kind"]) == (400, "BadMessage")
    assert desk.bench.events() == []
    assert desk.agent("a1").post(SYNC, {"reports": [report(1, launched(launch))]}).json["taken"] == 1


def test_one_wrong_report_keeps_the_others_from_being_taken(hosting: tuple[Desk, Launch]) -> None:
    desk, launch = hosting
    told = [report(1, launched(launch)), {"number": 2, "kind": "Nonsense", "body": {}}]
    assert desk.agent("a1").post(SYNC, {"reports": told}).status == 400
    assert desk.agent("a1").post(SYNC, {"reports": told[:1]}).json["taken"] == 1


def test_a_body_over_the_limit_is_refused(desk: Desk) -> None:
    assert desk.agent("a1").post(SYNC, b" " * (8 * 2**20 + 1)).status == 413


def test_an_agent_cannot_end_another_allocations_guest(hosting: tuple[Desk, Launch]) -> None:
    desk, launch = hosting
    assert desk.agent("a2").post("/v1/agents/a2/sync", {"reports": [report(1, done(launch))]}).status == 200
    assert desk.people.get("/v1/jobs/1").json["job"]["row"]["state"] == "starting"


def test_an_agent_that_waits_is_woken_by_its_next_command(hosting: tuple[Desk, Launch]) -> None:
    desk, launch = hosting
    agent = desk.agent("a1")

    async def story() -> Any:
        desk.bell.begin()
        desk.bench.on_ring = desk.bell.ring
        body = b'{"have":[%d],"wait_ms":30000}' % launch.id
        waiting = asyncio.create_task(agent.exchange("POST", SYNC, body))
        await desk.bell.is_waited_for.wait()
        desk.bench.ask(JobCancelled(target=launch.job))
        return await waiting

    (kill,) = commands(asyncio.run(asyncio.wait_for(story(), timeout=20)))
    assert (type(kill).__name__, kill.job, kill.fence) == ("Kill", launch.job, launch.fence)


def test_two_requests_of_one_agent_take_each_report_once(hosting: tuple[Desk, Launch]) -> None:
    desk, launch = hosting
    agent = desk.agent("a1")
    first = codec.to_json({"reports": [report(1, launched(launch))]})
    both = codec.to_json({"reports": [report(1, launched(launch)), report(2, done(launch))]})
    desk.bench.events()

    async def story() -> list[int]:
        replies = await asyncio.gather(agent.exchange("POST", SYNC, first), agent.exchange("POST", SYNC, both))
        return sorted(reply.json["taken"] for reply in replies)

    assert asyncio.run(asyncio.wait_for(story(), timeout=20))[-1] == 2
    kinds = [what for kind, what in desk.bench.events() if kind == "journal"]
    assert kinds == ["SegmentRunning", "JobDone"]
