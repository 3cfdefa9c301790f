import asyncio
from typing import Any

import pytest

from idleq.scheduler import codec
from idleq.scheduler.core.commands import Launch
from idleq.scheduler.core.submission import ArrayRange
from support.daemon import a_job, done, launched
from support.desk import Desk

JOB = codec.to_plain(a_job().submissions[0])


def submission(**changes: Any) -> dict[str, Any]:
    return {"request": "r1", "user": "ada", "submissions": [JOB], **changes}


def test_a_submission_is_answered_by_its_entries(desk: Desk) -> None:
    reply = desk.people.post("/v1/jobs", submission(submissions=[JOB, JOB]))
    assert (reply.status, reply.json) == (200, {"entries": [1, 2]})
    assert [row["id"] for row in desk.people.get("/v1/jobs").json["jobs"]] == ["1", "2"]


def test_what_gaps_do_not_suit_is_remarked_on_and_taken_in_all_the_same(desk: Desk) -> None:
    said = with_spec(freeze="none", expected_ms=365 * 86_400_000)
    (remark,) = desk.people.post("/v1/jobs", said).json["remarks"]

    assert remark.startswith("Job 1 cannot be frozen, and jobs have at most ")
    assert desk.people.post("/v1/jobs", said).json == {"entries": [1], "remarks": [remark]}


def test_a_repeated_request_is_the_same_submission(desk: Desk) -> None:
    first = desk.people.post("/v1/jobs", submission())
    assert desk.people.post("/v1/jobs", submission()).json == first.json == {"entries": [1]}


def test_variables_of_others_than_idleq_are_taken(desk: Desk) -> None:
    assert desk.people.post("/v1/jobs", with_spec(environment=[["IDLEQ_DATA_DIR", "/data"]])).status == 200


def test_a_large_array_is_one_row(desk: Desk) -> None:
    array = codec.to_plain(a_job(array=ArrayRange(0, 99_999)).submissions[0])
    assert desk.people.post("/v1/jobs", submission(submissions=[array])).json == {"entries": [1]}
    (row,) = desk.people.get("/v1/jobs").json["jobs"]
    assert (row["id"], row["tasks"], row["state"]) == ("1_[0-99999]", 100_000, "queued")


def with_spec(**changes: Any) -> dict[str, Any]:
    return submission(submissions=[{**JOB, "spec": {**JOB["spec"], **changes}}])


EVIL: list[tuple[Any, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"\xff\xfe", 400),
    (b"[" * 100_000, 400),
    (b'{"request":"r1","user":"ada","submissions":' + b"[" * 50_000, 400),
    ([], 400),
    ({}, 400),
    ("jobs", 400),
    (submission(submissions="all"), 400),
    (submission(request=7), 400),
    (submission(submissions=[]), 422),
    (submission(submissions=[{}]), 400),
    (with_spec(resources={"cores": -1, "memory": 1, "gpus": 0}), 422),
    (with_spec(resources={"cores": 1.5, "memory": 1, "gpus": 0}), 400),
    (with_spec(argv=["true", "a\0b"]), 422),
    (with_spec(image="--privileged"), 422),
    (with_spec(image="image", mounts=[{"source": "/etc", "target": "/x"}]), 422),
    (with_spec(image="image", mounts=[{"source": "/data/../etc", "target": "/x"}]), 422),
    (with_spec(image="image", mounts=[{"source": "/data:/etc", "target": "/x"}]), 422),
    (with_spec(image="image", mounts=[{"source": "/data", "target": "/x", "is_writable": 3}]), 400),
    (with_spec(image="image", runtime="sudo"), 400),
    (with_spec(mounts=[{"source": "/data", "target": "/x"}]), 422),
    (with_spec(name="a\0b"), 422),
    (with_spec(environment=[["A=B", "C"]]), 422),
    (with_spec(environment=[["", "C"]]), 422),
    (with_spec(environment=[["A", "\0"]]), 422),
    (with_spec(environment=[["IDLEQ_CONTROL", "/"]]), 422),
    (with_spec(environment=[["IDLEQ_MARK", "a2/1/1"]]), 422),
    (with_spec(signal="SIGKILL"), 422),
    (with_spec(signal="9"), 422),
    (with_spec(argv=[]), 422),
    (with_spec(argv="true"), 400),
    (with_spec(expected_ms=-1), 422),
    (with_spec(retries=-1), 422),
    (with_spec(freeze="magic"), 400),
    (submission(submissions=[{**JOB, "array": {"first": 0, "last": 9, "step": 0}}]), 422),
    (submission(submissions=[{**JOB, "array": {"first": 9, "last": 0}}]), 422),
    (submission(submissions=[{**JOB, "array": {"first": 0, "last": 10**12}}]), 422),
    (submission(submissions=[{**JOB, "after": [99]}]), 422),
    (submission(submissions=[{**JOB, "after_here": [5]}]), 422),
    (submission(submissions=[{**JOB, "after_here": [0]}]), 422),
]


@pytest.mark.parametrize(("body", "status"), EVIL)
def test_an_evil_body_is_refused_and_changes_nothing(desk: Desk, body: Any, status: int) -> None:
    reply = desk.people.post("/v1/jobs", body)
    assert reply.status == status
    assert reply.json["error"]["message"]
    assert reply.json["error"]["exit_code"] in (19, 21)
    assert desk.people.get("/v1/jobs").json == {"jobs": [], "is_cut": False}
    assert desk.people.post("/v1/jobs", submission()).json == {"entries": [1]}


def test_a_body_over_the_limit_is_not_read(desk: Desk) -> None:
    reply = desk.people.post("/v1/jobs", b" " * (32 * 2**20 + 1))
    assert (reply.status, reply.json["error"]["kind"]) == (413, "BadMessage")


def test_a_body_that_announces_too_much_is_refused_before_it_comes(desk: Desk) -> None:
    headers = [(b"authorization", f"Bearer {desk.people.token}".encode()), (b"content-length", b"99999999999")]
    assert desk.people.call("POST", "/v1/jobs", b"{}", headers).status == 413


@pytest.mark.parametrize("verb", ["cancel", "hold", "release", "freeze", "move", "modify"])
@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("99", 404, "UnknownTarget"),
        ("1_3", 404, "UnknownTarget"),
        ("one", 400, "BadMessage"),
        ("-1", 400, "BadMessage"),
        ("1_", 400, "BadMessage"),
        ("9" * 30, 400, "BadMessage"),
        ("1%00", 400, "BadMessage"),
    ],
)
def test_what_does_not_exist_cannot_be_changed(desk: Desk, verb: str, name: str, status: int, kind: str) -> None:
    desk.people.post("/v1/jobs", submission())
    reply = desk.people.post(f"/v1/jobs/{name}/{verb}")
    assert (reply.status, reply.json["error"]["kind"]) == (status, kind)


def test_a_job_is_held_released_and_cancelled(desk: Desk) -> None:
    desk.people.post("/v1/jobs", submission())

    def state() -> tuple[str, str]:
        row = desk.people.get("/v1/jobs/1").json["job"]["row"]
        return row["state"], row["reason"]

    assert desk.people.post("/v1/jobs/1/hold", {"reason": "not yet"}).json == {"accepted": True}
    assert state() == ("held", "not yet")
    assert desk.people.post("/v1/jobs/1/release").json == {"accepted": True}
    assert state()[0] == "queued"
    assert desk.people.post("/v1/jobs/1/cancel").json == {"accepted": True}
    assert state()[0] == "cancelled"
    again = desk.people.post("/v1/jobs/1/cancel")
    assert (again.status, again.json["error"]["kind"], again.json["error"]["exit_code"]) == (409, "Refused", 17)


def test_a_job_is_modified_and_what_cannot_be_is_refused(desk: Desk) -> None:
    desk.people.post("/v1/jobs", submission())
    assert desk.people.post("/v1/jobs/1/modify", {"priority": 7, "memory": 5}).json == {"accepted": True}
    assert desk.people.get("/v1/jobs/1").json["job"]["row"]["priority"] == 7
    bodies: tuple[object, ...] = ({"cores": 0}, {"cores": "2"}, {"cores": 1.5}, {}, [], {"expected_ms": -4})
    for body in bodies:
        refused = desk.people.post("/v1/jobs/1/modify", body)
        assert refused.status in (400, 409, 422), body
    assert desk.people.get("/v1/jobs/1").json["job"]["spec"]["resources"]["memory"] == 5


def test_idleq_is_paused_and_resumed(desk: Desk) -> None:
    desk.people.post("/v1/pause", {"empty": True, "reason": "maintenance"})
    seen = desk.people.get("/v1/status").json["summary"]
    assert (seen["is_paused"], seen["pause_reason"]) == (True, "maintenance")
    desk.people.post("/v1/resume")
    assert desk.people.get("/v1/status").json["summary"]["is_paused"] is False


def test_a_pause_without_a_body_empties_nothing(hosting: tuple[Desk, Launch]) -> None:
    desk, _ = hosting
    desk.people.post("/v1/pause")
    assert desk.people.get("/v1/jobs/1").json["job"]["row"]["state"] == "starting"


def test_a_job_is_shown_with_all_about_it(hosting: tuple[Desk, Launch]) -> None:
    desk, launch = hosting
    seen = desk.people.get("/v1/jobs/1").json
    assert seen["entry"]["active"] == 1
    assert seen["job"]["row"]["allocation"] == launch.allocation
    assert seen["job"]["spec"]["argv"] == ["true"]
    assert desk.people.get("/v1/jobs/1/explain").json["state"] == "starting"


@pytest.mark.parametrize("path", ["/v1/jobs/7", "/v1/jobs/7/explain", "/v1/wait?jobs=7", "/v1/jobs/1_5"])
def test_what_does_not_exist_cannot_be_shown(desk: Desk, path: str) -> None:
    desk.people.post("/v1/jobs", submission())
    reply = desk.people.get(path)
    assert (reply.status, reply.json["error"]["kind"]) == (404, "UnknownTarget")


@pytest.mark.parametrize(
    "path",
    ["/v1/wait", "/v1/wait?jobs=", "/v1/wait?jobs=1&timeout_ms=x", "/v1/jobs?limit=-1", "/v1/wait?jobs=" + "1," * 2000],
)
def test_a_query_that_makes_no_sense_is_refused(desk: Desk, path: str) -> None:
    assert desk.people.get(path).status == 400


def test_rows_are_cut_at_the_limit_and_that_is_said(desk: Desk) -> None:
    desk.people.post("/v1/jobs", submission(submissions=[JOB] * 3))
    seen = desk.people.get("/v1/jobs?limit=2").json
    assert ([row["id"] for row in seen["jobs"]], seen["is_cut"]) == (["1", "2"], True)


def test_an_array_is_shown_with_its_rows(desk: Desk) -> None:
    array = codec.to_plain(a_job(array=ArrayRange(0, 9)).submissions[0])
    desk.people.post("/v1/jobs", submission(submissions=[array]))
    seen = desk.people.get("/v1/jobs/1").json
    assert (seen["job"], [row["id"] for row in seen["jobs"]], seen["entry"]["tasks"]) == (None, ["1_[0-9]"], 10)
    assert desk.people.get("/v1/jobs/1_3").json["job"]["row"]["id"] == "1_3"


def test_nodes_are_shown(hosting: tuple[Desk, Launch]) -> None:
    desk, _ = hosting
    (row,) = desk.people.get("/v1/nodes").json["nodes"]
    assert (row["name"], row["allocation"], row["guests"]) == ("n1", "a1", ["1"])


def test_finished_jobs_are_shown_to_those_who_ask(hosting: tuple[Desk, Launch]) -> None:
    desk, launch = hosting
    desk.bench.ask(launched(launch), done(launch)).result(timeout=10)
    assert desk.people.get("/v1/jobs").json["jobs"] == []
    assert [row["state"] for row in desk.people.get("/v1/jobs?all=1").json["jobs"]] == ["done"]


def test_a_wait_ends_when_its_time_is_up(desk: Desk) -> None:
    desk.people.post("/v1/jobs", submission())
    assert desk.people.get("/v1/wait?jobs=1&timeout_ms=20").json == {
        "is_over": False,
        "jobs": [{"target": "1", "is_over": False, "jobs": 1, "done": 0, "failed": 0, "cancelled": 0}],
    }


def test_a_wait_ends_when_its_jobs_do(hosting: tuple[Desk, Launch]) -> None:
    desk, launch = hosting

    async def story() -> Any:
        desk.bell.begin()
        desk.bench.on_ring = desk.bell.ring
        waiting = asyncio.create_task(desk.people.exchange("GET", "/v1/wait?jobs=1&timeout_ms=30000"))
        await desk.bell.is_waited_for.wait()
        await asyncio.wrap_future(desk.bench.ask(launched(launch), done(launch)))
        return (await waiting).json

    assert asyncio.run(asyncio.wait_for(story(), timeout=20)) == {
        "is_over": True,
        "jobs": [{"target": "1", "is_over": True, "jobs": 1, "done": 1, "failed": 0, "cancelled": 0}],
    }


def test_while_the_journal_is_away_callers_are_told_and_may_come_again(desk: Desk) -> None:
    desk.people.get("/v1/status")
    desk.bench.journal.cannot_write = True
    reply = desk.people.post("/v1/jobs", submission())
    assert (reply.status, reply.json["error"]["kind"], reply.json["error"]["exit_code"]) == (
        503,
        "JournalUnavailable",
        10,
    )
    desk.bench.journal.cannot_write = False
    desk.bench.steady.advance(500)
    assert desk.people.post("/v1/jobs", submission()).json == {"entries": [1]}


def test_a_fault_of_ours_is_told_as_one(desk: Desk) -> None:
    desk.bench.mailbox.look = broken  # type: ignore[method-assign, assignment] # a fault made to order
    with pytest.raises(ZeroDivisionError):
        desk.people.get("/v1/status")


def broken(_question: Any) -> Any:
    raise ZeroDivisionError


def test_the_daemon_can_be_told_to_stop(desk: Desk) -> None:
    assert desk.people.post("/v1/shutdown").json == {"accepted": True}
    assert desk.stops == ["stop"]
