import json
from dataclasses import replace

import pytest

from idleq.ids import NodeName
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm.answers import read_partitions
from idleq.scheduler.slurm.assembly import folders_of_srun
from idleq.scheduler.slurm.batch import BatchJob
from idleq.scheduler.slurm.errors import (
    SlurmAway,
    SlurmError,
    SlurmLimit,
    SlurmRefused,
    SlurmTokenUnusable,
    SlurmUnreadable,
)
from idleq.scheduler.slurm.rest import Http, Rest, refusal, submission
from support.slurm import RECORDED, recorded_as_json

BUSY, PLAIN = RECORDED / "24.11" / "busy", RECORDED / "24.11" / "plain"
JOB = BatchJob(
    comment="idleq:s1:a1",
    name="idleq-a1",
    partition="guests",
    qos="",
    account="",
    node=NodeName("n7"),
    resources=Resources(4, 3 * 2**30, 2),
    minutes=60,
    least_minutes=6,
    folder="/home/alice",
    script="#!/bin/sh\n",
)


class Recorded:
    """Answers of version v0.0.42, as the recorded cluster gave them; *answers* come first."""

    def __init__(self, **answers: tuple[int, bytes]) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answers = {name.replace("_", "/"): answer for name, answer in answers.items()}

    def __call__(self, method: str, path: str, _body: bytes | None) -> tuple[int, bytes]:
        self.asked.append((method, path))
        _, _, version, what = path.split("/", 3)
        if version != "v0.0.42":
            return 404, b"Unable to find requested URL"
        if what in self.answers:
            return self.answers[what]
        folder = BUSY if what != "partitions" else PLAIN
        return 200, b"{}" if what == "ping" else (folder / f"{what}.json").read_bytes()


def complaint(words: str) -> bytes:
    return json.dumps({"errors": [{"description": words, "error": "failed", "error_number": 1}]}).encode()


def test_a_reading_is_what_the_commands_say_in_json() -> None:
    told = recorded_as_json("24.11", "busy")
    partitions = read_partitions((PLAIN / "partitions.json").read_bytes())

    assert Rest(Recorded()).read(told.at) == replace(told, partitions=partitions)


def test_the_newest_interface_that_there_is_is_looked_for_once_and_nodes_are_asked_before_jobs() -> None:
    fetch = Recorded()
    rest = Rest(fetch)

    rest.read(recorded_as_json("24.11", "busy").at)

    paths = [path.removeprefix("/slurm/") for _, path in fetch.asked]
    assert paths == [
        *(f"v0.0.{number}/ping" for number in (44, 43, 42)),
        *(f"v0.0.42/{what}" for what in ("nodes", "jobs", "reservations", "partitions")),
    ]


def test_after_an_upgrade_that_offers_the_interface_no_more_a_newer_one_is_found() -> None:
    offered, fetch = "v0.0.42", Recorded()

    def upgraded(method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        return fetch(method, path.replace(offered, "v0.0.42") if offered in path else "/slurm/none/none", body)

    rest, now = Rest(upgraded), recorded_as_json("24.11", "busy").at
    rest.read(now)
    offered = "v0.0.44"
    with pytest.raises(SlurmRefused, match="404"):
        rest.read(now)

    assert rest.read(now).nodes
    assert fetch.asked[-1] == ("GET", "/slurm/v0.0.42/partitions")


def test_a_slurm_with_none_of_the_interfaces_is_told_apart_from_one_that_is_away() -> None:
    with pytest.raises(SlurmUnreadable, match=r"none of v0\.0\.44"):
        Rest(lambda *_: (404, b"")).cancel([1])


def test_what_is_submitted_says_all_that_the_command_line_says() -> None:
    assert submission(JOB) == {
        "script": "#!/bin/sh\n",
        "job": {
            "name": "idleq-a1",
            "comment": "idleq:s1:a1",
            "partition": "guests",
            "required_nodes": ["n7"],
            "minimum_nodes": 1,
            "maximum_nodes": 1,
            "tasks": 1,
            "cpus_per_task": 4,
            "memory_per_node": {"set": True, "infinite": False, "number": 3072},
            "tres_per_node": "gres/gpu:2",
            "time_limit": {"set": True, "infinite": False, "number": 60},
            "time_minimum": {"set": True, "infinite": False, "number": 6},
            "requeue": False,
            "current_working_directory": "/home/alice",
            "standard_output": "/home/alice/idleq-a1.slurm.log",
            "environment": ["PATH=/usr/local/bin:/usr/bin:/bin"],
        },
    }


@pytest.mark.parametrize(
    ("named", "here", "path"),
    [
        ("", None, "/usr/local/bin:/usr/bin:/bin"),
        ("/opt/slurm/bin", "/cm/slurm/bin/srun", "/opt/slurm/bin:/cm/slurm/bin:/usr/local/bin:/usr/bin:/bin"),
    ],
)
def test_the_script_looks_for_srun_where_it_is_said_to_be_and_where_it_is_here(
    named: str, here: str | None, path: str
) -> None:
    sent: list[bytes] = []

    def fetch(_method: str, _path: str, body: bytes | None) -> tuple[int, bytes]:
        sent.extend([body] if body else [])
        return 200, b'{"job_id": 17}'

    Rest(fetch, folders_of_srun(named, here)).submit(JOB)

    assert [json.loads(body)["job"]["environment"] for body in sent] == [[f"PATH={path}"]]


def test_what_is_submitted_names_the_features_that_are_wanted() -> None:
    job = submission(replace(JOB, features=frozenset({"bigmem", "avx2"})))["job"]

    assert isinstance(job, dict)
    assert job["constraints"] == "avx2&bigmem"


def test_a_submission_gives_the_jobs_number_or_is_refused() -> None:
    assert Rest(Recorded(job_submit=(200, b'{"job_id": 17, "errors": []}'))).submit(JOB) == 17
    with pytest.raises(SlurmUnreadable, match="names no job"):
        Rest(Recorded(job_submit=(200, b"{}"))).submit(JOB)


def test_of_jobs_that_slurm_has_forgotten_nothing_is_known_and_of_others_all() -> None:
    jobs = json.loads((BUSY / "jobs.json").read_bytes())["jobs"]
    known = json.dumps({"jobs": jobs[:1]}).encode()
    number = jobs[0]["job_id"]
    fetch = Recorded(**{f"job_{number}": (200, known), "job_999": (500, complaint("Invalid job id specified"))})

    assert list(Rest(fetch).ends([number, 999])) == [number]


def test_what_has_ended_is_in_the_reading_and_not_asked_for_again() -> None:
    recorded = Recorded()

    assert Rest(recorded).over_on([NodeName("n1")]) == ()
    assert recorded.asked == []


def test_cancelling_asks_for_each_job() -> None:
    fetch = Recorded(job_7=(200, b"{}"))

    Rest(fetch).cancel([7])

    assert fetch.asked[-1] == ("DELETE", "/slurm/v0.0.42/job/7")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (complaint("Unable to contact slurm controller (connect failure)"), SlurmAway),
        (complaint("Job violates accounting/QOS policy (job submit limit)"), SlurmLimit),
        (complaint("Invalid partition name specified"), SlurmRefused),
        (complaint("Message receive failure"), SlurmAway),
        (b"Authentication failure", SlurmTokenUnusable),
    ],
)
def test_what_slurmrestd_says_tells_whether_trying_again_may_help(answer: bytes, kind: type[SlurmError]) -> None:
    assert type(refusal(500, answer)) is kind


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_that_got_no_answer_says_neither_yes_nor_no(status: int) -> None:
    assert type(refusal(status, b"<html>upstream</html>")) is SlurmAway


@pytest.mark.parametrize("status", [401, 511])
def test_a_token_that_slurmrestd_or_the_controller_refuses_without_a_word_is_told_as_that(status: int) -> None:
    assert type(refusal(status, b"")) is SlurmTokenUnusable


def test_where_nobody_answers_it_is_away() -> None:
    with pytest.raises(SlurmAway, match="does not answer"):
        Http("http://127.0.0.1:1", "alice", lambda: "token")("GET", "/slurm/v0.0.42/ping", None)
