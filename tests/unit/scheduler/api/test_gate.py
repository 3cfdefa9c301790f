"""Without the right token there is one answer to everything."""

import pytest

from idleq.ids import AllocationId
from support.asgi import Caller
from support.desk import PEOPLE, Desk

PEOPLES_ROUTES = [
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/1"),
    ("POST", "/v1/jobs/1/cancel"),
    ("POST", "/v1/jobs/1/hold"),
    ("POST", "/v1/jobs/1/release"),
    ("GET", "/v1/jobs/1/explain"),
    ("GET", "/v1/status"),
    ("GET", "/v1/nodes"),
    ("POST", "/v1/pause"),
    ("POST", "/v1/resume"),
    ("GET", "/v1/wait?jobs=1"),
    ("POST", "/v1/shutdown"),
]
ROUTES = [*PEOPLES_ROUTES, ("POST", "/v1/agents/a1/sync"), ("GET", "/"), ("GET", "/docs"), ("GET", "/openapi.json")]

DENIED = {
    "error": {
        "kind": "AccessDenied",
        "message": "no token, or not the right one",
        "hint": "take url and token from access.json in the server directory; they change when the daemon starts",
        "exit_code": 16,
    }
}


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("token", [None, "", "wrong", PEOPLE + "x", PEOPLE[:-1], "né"])
def test_without_the_right_token_there_is_no_other_answer(
    quiet_desk: Desk, method: str, path: str, token: str | None
) -> None:
    reply = Caller(quiet_desk.app, token).call(method, path)
    assert (reply.status, reply.json) == (401, DENIED)
    assert quiet_desk.stops == []


@pytest.mark.parametrize(("method", "path"), PEOPLES_ROUTES)
def test_an_agents_token_opens_no_route_of_people(quiet_desk: Desk, method: str, path: str) -> None:
    assert quiet_desk.agent("a1").call(method, path).status == 401


def test_an_agents_token_serves_its_own_allocation_only(desk: Desk) -> None:
    one, _ = desk.agent("a1"), desk.agent("a2")
    assert one.post("/v1/agents/a1/sync", {}).status == 200
    assert one.post("/v1/agents/a2/sync", {}).status == 401


def test_peoples_token_is_no_agents(quiet_desk: Desk) -> None:
    quiet_desk.agent("a1")
    assert quiet_desk.people.post("/v1/agents/a1/sync", {}).status == 401


@pytest.mark.parametrize("name", ["a9", "", ".", "..", "../..", "a1/../a2", "a%2f1", "é", "x" * 5000])
def test_an_allocation_without_a_token_lets_nobody_in(quiet_desk: Desk, name: str) -> None:
    quiet_desk.agent("a1")
    assert Caller(quiet_desk.app, "").call("POST", f"/v1/agents/{name}/sync", b"{}").status == 401


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", PEOPLE.encode())],
        [(b"authorization", b"Basic " + PEOPLE.encode())],
        [(b"authorization", b"bearer " + PEOPLE.encode())],
        [(b"authorization", b"Bearer " + PEOPLE.encode()), (b"authorization", b"Bearer " + PEOPLE.encode())],
        [(b"cookie", PEOPLE.encode())],
    ],
)
def test_a_token_counts_only_in_its_place(quiet_desk: Desk, headers: list[tuple[bytes, bytes]]) -> None:
    assert quiet_desk.people.call("GET", "/v1/status", headers=headers).status == 401


def test_a_token_is_made_once_and_only_its_owner_can_read_it(quiet_desk: Desk) -> None:
    paths = quiet_desk.bench.paths.allocation(AllocationId("a1"))
    quiet_desk.tokens.make(AllocationId("a1"))
    first = paths.token.read_text()
    quiet_desk.tokens.make(AllocationId("a1"))
    assert paths.token.read_text() == first
    assert len(first) >= 43
    assert (paths.token.stat().st_mode & 0o777, paths.root.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_path_that_does_not_exist_is_told_to_those_who_may_know(desk: Desk) -> None:
    reply = desk.people.get("/v1/nonsense")
    assert (reply.status, reply.json["error"]["kind"]) == (404, "BadMessage")
    assert desk.people.get("/v1/pause").status == 405


def test_the_token_of_an_allocation_that_is_over_is_not_kept_in_memory_but_still_right(quiet_desk: Desk) -> None:
    a1 = AllocationId("a1")
    quiet_desk.tokens.make(a1)
    token = quiet_desk.bench.paths.allocation(a1).token.read_bytes()
    assert quiet_desk.tokens.matches(a1, token)
    quiet_desk.tokens.forget(a1)
    assert quiet_desk.tokens._known == {}
    assert quiet_desk.tokens.matches(a1, token)
