"""No traceback reaches a person."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.command_line import CommandLine, FakeWire


@dataclass(slots=True)
class Broken(FakeWire):
    """A daemon's client with a fault of its own."""

    fault: BaseException | None = None

    def status(self) -> dict[str, object]:
        assert self.fault is not None
        raise self.fault


def test_a_fault_is_one_line_that_names_the_file_with_the_traceback(idleq: CommandLine) -> None:
    idleq.wire = Broken(fault=ZeroDivisionError("division by zero"))

    outcome = idleq("status")

    found = re.fullmatch(
        r"idleq: this should not have happened \(ZeroDivisionError: division by zero\); the full story is in (\S+)\n",
        outcome.err,
    )
    assert found is not None
    assert (outcome.code, outcome.out) == (70, "")
    story = Path(found[1])
    assert "Traceback (most recent call last)" in story.read_text()
    assert story.stat().st_mode & 0o777 == 0o600
    story.unlink()


def test_a_fault_is_one_json_value_too(idleq: CommandLine) -> None:
    idleq.wire = Broken(fault=ZeroDivisionError())

    outcome = idleq("status", "--json")

    assert (outcome.code, outcome.err) == (70, "")
    assert outcome.json["error"]["kind"] == "Unexpected"
    Path(outcome.json["error"]["message"].rpartition(" ")[2]).unlink()


def test_whoever_asks_for_it_gets_the_traceback(idleq: CommandLine) -> None:
    idleq.wire = Broken(fault=ZeroDivisionError())
    idleq.environment["IDLEQ_DEBUG"] = "1"

    with pytest.raises(ZeroDivisionError):
        idleq("status")


def test_ctrl_c_is_130_and_silent(idleq: CommandLine) -> None:
    idleq.wire = Broken(fault=KeyboardInterrupt())

    outcome = idleq("status")

    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")


def test_ctrl_c_is_one_json_value_where_json_is_asked_for(idleq: CommandLine) -> None:
    idleq.wire = Broken(fault=KeyboardInterrupt())

    outcome = idleq("status", "--json")

    told = {"kind": "Interrupted", "message": "it was interrupted", "hint": "", "exit_code": 130}
    assert (outcome.code, json.loads(outcome.out), outcome.err) == (130, {"error": told}, "")


def test_a_closed_pipe_is_141_and_silent(idleq: CommandLine) -> None:
    idleq.wire = Broken(fault=BrokenPipeError(32, "Broken pipe"))

    outcome = idleq("status")

    assert (outcome.code, outcome.out, outcome.err) == (141, "", "")


def test_the_version_and_the_help_need_no_daemon(idleq: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    idleq.wire = None

    assert idleq("--version").code == 0
    assert capsys.readouterr().out.startswith("idleq ")
    for command in ("submit", "ps", "daemon", "demo"):
        assert idleq(command, "--help").code == 0
        assert capsys.readouterr().out.startswith(f"Usage: idleq {command}")


def test_commands_of_idleq_itself_are_not_listed(idleq: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    idleq("--help")

    listed = re.findall(r"^  ([a-z]+) ", capsys.readouterr().out.partition("Commands:")[2], re.MULTILINE)
    people = (
        "submit try ps status logs wait fetch cancel hold freeze release move modify explain nodes gaps pause resume "
        "report doctor demo snapshot init daemon image simulate traces"
    )
    assert listed == people.split()
