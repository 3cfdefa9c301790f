import json
from typing import Any

import pytest

from idleq.scheduler.slurm import answers
from idleq.scheduler.slurm.errors import SlurmRefused, SlurmUnreadable
from idleq.scheduler.slurm.records import value
from support.slurm import RECORDED

BUSY = RECORDED / "24.11" / "busy"


def jobs() -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((BUSY / "jobs.json").read_bytes())
    return whole


@pytest.mark.parametrize(
    "field",
    ["job_id", "job_state", "name", "nodes", "scheduled_nodes", "start_time", "end_time", "user_name"],
)
def test_a_job_without_what_gaps_are_made_of_is_refused_by_the_name_of_the_field(field: str) -> None:
    answer = jobs()
    del answer["jobs"][0][field]

    with pytest.raises(SlurmUnreadable, match=f"missing required field `{field}`"):
        answers.read_jobs(json.dumps(answer).encode())


def test_fields_of_a_newer_slurm_are_passed_over() -> None:
    answer = jobs()
    plain = answers.read_jobs(json.dumps(answer).encode())
    answer["jobs"][0]["invented_later"] = {"deep": [1]}
    answer["also"] = 1

    assert answers.read_jobs(json.dumps(answer).encode()) == plain


def test_json_that_lacks_the_plan_says_what_to_ask_for_instead() -> None:
    with pytest.raises(SlurmUnreadable, match=r"`scheduled_nodes`.*ask them for columns .cluster.format"):
        answers.read_jobs((RECORDED / "22.05" / "busy" / "jobs.json").read_bytes())


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"jobs": 1}', b'{"jobs": [{}]}', b"slurm_load_jobs error: Unable to contact"]
)
def test_what_is_no_answer_is_refused(text: bytes) -> None:
    with pytest.raises(SlurmUnreadable):
        answers.read_jobs(text)


def test_a_refusal_is_told_in_slurms_own_words() -> None:
    complaint = b'{"errors": [{"description": "Failure to query", "error": "Protocol authentication error", "error_number": 1007}]}'

    with pytest.raises(SlurmRefused, match="Protocol authentication error: Failure to query"):
        answers.read_nodes(complaint)


def test_the_time_of_the_plan_is_the_same_in_both_answers_that_have_it() -> None:
    told = answers.planned_at(answers.read_jobs((BUSY / "jobs.json").read_bytes()))

    assert told is not None
    said = answers.read_diagnosis((BUSY / "sdiag.json").read_bytes()).bf_when_last_cycle
    assert abs(told - (value(said) or 0)) <= 4  # seconds: a plan may have been made in between


def test_partitions_are_told_with_what_makes_their_nodes_gaps() -> None:
    said = (RECORDED / "24.11" / "closed" / "partitions.json").read_bytes()

    assert [(each.name, each.nodes, each.state, each.tier) for each in answers.read_partitions(said)] == [
        ("main", "n[1-3]", "DOWN", 10),
        ("guests", "n[1-3]", "INACTIVE", 1),
    ]


@pytest.mark.parametrize("percent", [0, 1, 50, 99])
def test_an_answer_that_was_cut_short_is_refused(percent: int) -> None:
    said = (BUSY / "jobs.json").read_bytes()

    with pytest.raises(SlurmUnreadable, match="not what idleq understands"):
        answers.read_jobs(said[: len(said) * percent // 100])


@pytest.mark.parametrize("said", [b"[]", b"null", b'{"jobs": {}}', b"slurm_load_jobs error: down", b"\xff\xfe{}"])
def test_what_is_no_answer_about_jobs_is_refused(said: bytes) -> None:
    with pytest.raises(SlurmUnreadable):
        answers.read_jobs(said)


def test_a_name_that_is_no_text_hides_no_job() -> None:
    said = (BUSY / "jobs.json").read_bytes()

    odd = answers.read_jobs(said.replace(b'"wide"', b'"w\xff\xfe"')).jobs

    assert [job.name for job in odd] == [
        "w\ufffd\ufffd" if job.name == "wide" else job.name for job in answers.read_jobs(said).jobs
    ]
