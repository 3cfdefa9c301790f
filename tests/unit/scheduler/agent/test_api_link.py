"""What travels between agent and daemon."""

import json
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis
from idleq.scheduler.agent.api_link import ApiLink, parse_answer, request_body
from idleq.scheduler.agent.link import Answer, LinkDown
from idleq.scheduler.agent.reports import Report
from idleq.scheduler.core.commands import Kill
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.outbox import seal

KILL = Kill(id=CommandId(9), allocation=AllocationId("a1"), job=JobId("1"), fence=Fence(1), reason='"')


def test_a_question_holds_the_reports_as_they_are_in_their_file() -> None:
    body = request_body('b"', [Report(1, b'{"number":1}'), Report(2, b'{"number":2}')], [CommandId(4)], Millis(500))
    assert json.loads(body) == {"boot": 'b"', "reports": [{"number": 1}, {"number": 2}], "have": [4], "wait_ms": 500}


def test_a_line_that_was_hung_up_with_the_last_answer_is_dialled_anew(tmp_path: Path) -> None:
    link = ApiLink(tmp_path / "nobody.json", lambda _: "", AllocationId("a1"), "b", HTTPSConnection("localhost"))
    with pytest.raises(LinkDown, match=r"FileNotFoundError.*nobody\.json"):
        link.exchange([], [], Millis(0))


def test_an_answer_is_read_with_its_commands_and_what_a_newer_daemon_adds_is_passed_over() -> None:
    body = b'{"taken":3,"commands":[%s],"lease_ms":60000,"leave":false,"daemon":"d","new":1}' % seal(KILL).payload
    expected = Answer(taken=3, commands=(KILL,), lease_ms=Millis(60_000), leave=False, daemon="d")
    assert parse_answer(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"taken":3}',
        b'{"taken":3,"commands":[{"id":1,"kind":"Paint","body":{}}],"lease_ms":1,"leave":false}',
        b'{"taken":3,"commands":[{"id":1,"kind":"Publish","body":{"id":1,"job":"1","fence":1}}],"lease_ms":1,"leave":false}',
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(body: bytes) -> None:
    with pytest.raises(BadMessage):
        parse_answer(body)
