"""The users of a site, whom the gate knows by what MUNGE says of their credentials."""

from typing import Any

import pytest

from idleq.ids import AllocationId, Millis, SnapshotId
from idleq.scheduler import codec
from idleq.scheduler.api.app import make_app
from idleq.scheduler.api.munge import number_in
from idleq.scheduler.core.commands import Launch
from idleq.scheduler.core.inputs import Frozen
from idleq.scheduler.core.snapshot import Snapshot
from support.asgi import Caller, Reply
from support.daemon import NOON, a_job, a_node, granted, launched, quiet_log, ready
from support.desk import PEOPLE, Desk

JOB = codec.to_plain(a_job().submissions[0])
CREDENTIALS = {b"MUNGE:a:": "alice", b"MUNGE:b:": "bob"}


class User:
    """One who shows a credential of *name*."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._app = make_app(desk.office, PEOPLE, quiet_log(), CREDENTIALS.get)
        self._headers = [(b"authorization", b"Munge MUNGE:%s:" % name[:1].encode())]

    def call(self, method: str, path: str, body: bytes = b"") -> Reply:
        return Caller(self._app).call(method, path, body, self._headers)

    def submit(self, *, user: str = "") -> Any:
        said = codec.to_json({"request": f"{id(self)}", "user": user, "submissions": [JOB]})
        return self.call("POST", "/v1/jobs", said).json["entries"]

    def sees(self, path: str = "/v1/jobs") -> list[str]:
        return [row["user"] for row in self.call("GET", path).json["jobs"]]


def test_a_user_sees_and_touches_their_own_jobs_and_the_daemons_own_user_all(desk: Desk) -> None:
    alice, bob = User(desk, "alice"), User(desk, "bob")
    assert (alice.submit(), bob.submit()) == ([1], [2])
    assert (alice.sees(), bob.sees()) == (["alice"], ["bob"])
    assert [row["user"] for row in desk.people.get("/v1/jobs").json["jobs"]] == ["alice", "bob"]
    assert bob.call("GET", "/v1/jobs/2").status == 200
    assert bob.call("POST", "/v1/jobs/2/cancel").status == 200
    assert desk.people.post("/v1/jobs/1/cancel").status == 200


def test_a_user_sees_the_snapshots_of_their_own_jobs(desk: Desk) -> None:
    desk.bench.tell(a_node())
    alice = User(desk, "alice")
    alice.submit()
    (allocation,) = (what for kind, what in desk.bench.diary if kind == "RequestAllocation")
    desk.bench.tell(granted(allocation))
    (launch,) = (
        c for decision in desk.bench.tell(ready(allocation)) for c in decision.commands if isinstance(c, Launch)
    )
    taken = Snapshot(
        id=SnapshotId("0001-0001"), fence=launch.fence, digest="d", bytes=1, taken_at=NOON, run_ms=Millis(0)
    )
    desk.bench.tell(launched(launch))
    desk.bench.tell(
        Frozen(job=launch.job, fence=launch.fence, snapshot=taken, at=NOON, freeze_ms=Millis(9), reason="asked")
    )

    def seen(reply: Reply) -> list[str]:
        return [row["snapshot"]["id"] for row in reply.json["snapshots"]]

    assert seen(alice.call("GET", "/v1/snapshots")) == seen(desk.people.get("/v1/snapshots")) == ["0001-0001"]
    assert seen(User(desk, "bob").call("GET", "/v1/snapshots")) == []


def test_a_user_is_told_of_the_copies_of_inputs_of_their_own_jobs(desk: Desk) -> None:
    alice, bob = User(desk, "alice"), User(desk, "bob")
    mine, hers = (f"{number:032x}" for number in range(2))
    for person, copy in ((alice, mine), (alice, hers), (bob, hers)):
        given = {"sources": ["/x"], "id": copy, "digest": "0" * 64, "bytes": 1}
        job = JOB | {"spec": JOB["spec"] | {"inputs": given}}
        said = {"request": f"{person}-{copy}", "user": "", "submissions": [job]}
        assert person.call("POST", "/v1/jobs", codec.to_json(said)).status == 200
    alice.call("POST", "/v1/jobs/2/cancel")

    def told(user: User) -> Any:
        return user.call("POST", "/v1/inputs", codec.to_json({"names": [mine, hers, "other"]})).json

    assert told(alice) == {"wanted": [mine], "spent": []}
    assert told(bob) == {"wanted": [hers], "spent": []}
    assert alice.call("POST", "/v1/inputs", b"{}").status == 400


def test_nobody_submits_in_anothers_name(desk: Desk) -> None:
    alice = User(desk, "alice")
    alice.submit(user="bob")
    assert alice.sees() == ["alice"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/jobs/1"),
        ("GET", "/v1/jobs/1/explain"),
        ("GET", "/v1/wait?jobs=2,1"),
        ("POST", "/v1/jobs/1/cancel"),
        ("POST", "/v1/jobs/1/freeze"),
        ("POST", "/v1/jobs/1/move"),
        ("POST", "/v1/jobs/1/modify"),
        ("POST", "/v1/jobs/1/hold"),
        ("POST", "/v1/jobs/1/release"),
        ("POST", "/v1/jobs/1/snapshots/s/remove"),
    ],
)
def test_of_anothers_job_a_user_hears_what_they_hear_of_one_that_is_not_there(
    desk: Desk, method: str, path: str
) -> None:
    alice, bob = User(desk, "alice"), User(desk, "bob")
    alice.submit()
    bob.submit()
    refused, unknown = bob.call(method, path), bob.call(method, path.replace("1", "9", 2).replace("v9", "v1"))
    assert (refused.status, unknown.status) == (404, 404)
    assert refused.json["error"]["message"].replace("1", "9") == unknown.json["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/pause", "/v1/resume", "/v1/shutdown"])
def test_what_concerns_all_is_not_for_a_user(desk: Desk, path: str) -> None:
    reply = User(desk, "alice").call("POST", path)
    assert (reply.status, reply.json["error"]["kind"]) == (409, "Refused")
    assert desk.stops == []


@pytest.mark.parametrize("name", ["mallory", ""])
def test_a_credential_that_munge_does_not_accept_lets_nobody_in(quiet_desk: Desk, name: str) -> None:
    assert User(quiet_desk, name).call("GET", "/v1/status").status == 401


def test_no_credential_lets_anybody_into_a_daemon_of_one_user(quiet_desk: Desk) -> None:
    shown = [(b"authorization", b"Munge MUNGE:a:")]
    assert quiet_desk.people.call("GET", "/v1/status", headers=shown).status == 401


def test_a_user_is_no_agent(quiet_desk: Desk) -> None:
    quiet_desk.tokens.make(AllocationId("a1"))
    assert User(quiet_desk, "alice").call("POST", "/v1/agents/a1/sync", b"{}").status == 401


def test_an_agent_that_has_renewed_its_token_is_let_in_by_the_new_one_alone(desk: Desk) -> None:
    ticket = desk.agent("a1")
    assert ticket.post("/v1/agents/a1/sync", {}).status == 200
    token = ticket.post("/v1/agents/a1/token").json["token"]
    assert ticket.post("/v1/agents/a1/sync", {}).status == 401
    assert ticket.post("/v1/agents/a1/token").status == 401
    assert Caller(desk.app, token).post("/v1/agents/a1/sync", {}).status == 200


def test_the_user_is_whom_munge_names() -> None:
    assert number_in("UID:              2001\n") == 2001
    for said in ("", "UID:              alice\n", "GID:              2001\n"):
        with pytest.raises(ValueError, match=f"^{said}$"):
            number_in(said)
