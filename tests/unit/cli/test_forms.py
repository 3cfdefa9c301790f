"""--json and --quiet: before and after the command, and what they print."""

import json

import pytest

from idleq.scheduler.plain import to_plain
from support.command_line import (
    BUSY_NODE,
    DETAIL,
    ENTRY,
    FREE_NODE,
    GUEST_NODE,
    HELD,
    RUNNING,
    SUMMARY,
    WHY,
    CommandLine,
    FakeWire,
    outlook,
)


def plain(value: object) -> object:
    return json.loads(json.dumps(to_plain(value)))


WIRE = FakeWire(rows=(RUNNING, HELD), node_rows=(FREE_NODE, BUSY_NODE, GUEST_NODE), outlooks=[(outlook("17", done=1),)])


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (("ps",), {"jobs": plain((RUNNING, HELD)), "is_cut": False}),
        (("ps", "17"), {"entry": plain(ENTRY), "job": plain(DETAIL), "jobs": [], "is_cut": False}),
        (("nodes",), {"nodes": plain((FREE_NODE, BUSY_NODE, GUEST_NODE))}),
        (("status",), {"daemon": "d1", "pid": 4242, "summary": plain(SUMMARY)}),
        (("explain", "18"), plain(WHY)),
        (("submit", "--", "true"), {"entries": [17]}),
        (("cancel", "17"), {"cancelled": ["17"]}),
        (("hold", "17"), {"held": ["17"]}),
        (("freeze", "17"), {"freezing": ["17"]}),
        (("move", "17"), {"moving": ["17"]}),
        (("modify", "17", "--retries", "1"), {"modified": ["17"]}),
        (("release", "17"), {"released": ["17"]}),
        (("pause", "--now"), {"paused": True, "emptying": True, "reason": "", "begin_anew": 0}),
        (("resume",), {"paused": False}),
    ],
)
def test_json_is_one_value_wherever_the_option_stands(
    idleq: CommandLine, arguments: tuple[str, ...], value: object
) -> None:
    idleq.wire = WIRE
    command, *rest = arguments

    before, after = idleq("--json", *arguments), idleq(command, "--json", *rest)

    assert (before.code, before.json, before.err) == (0, value, "")
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (("ps",), "17\n19_[3-99]\n"),
        (("nodes",), "n1\nn2\nn3\n"),
        (("submit", "--", "true"), "17\n"),
        (("cancel", "17", "18"), "17\n18\n"),
        (("status",), ""),
        (("pause",), ""),
        (
            ("submit", "--list"),
            "train-cgan\ngenerate-cgan\ntrain-cvae\ngenerate-cvae\ntrain-classifier\nevaluate-images\nsimulate-showers\ncount\nsimulate-tods\ntrain-todgan\ngenerate-todgan\nevaluate-tods\n",
        ),
    ],
)
def test_quiet_is_ids_or_nothing(idleq: CommandLine, arguments: tuple[str, ...], ids: str) -> None:
    idleq.wire = WIRE
    command, *rest = arguments

    assert idleq("--quiet", *arguments).out == ids
    assert idleq(command, "-q", *rest).out == ids


def test_the_daemon_group_takes_the_options_in_all_three_places(idleq: CommandLine) -> None:
    value = {"running": True, "pid": 4242, "daemon": "d1", "server_dir": str(idleq.server_dir)}

    assert idleq("--json", "daemon", "status").json == value
    assert idleq("daemon", "--json", "status").json == value
    assert idleq("daemon", "status", "--json").json == value


def test_the_server_directory_can_be_named_after_the_command(idleq: CommandLine) -> None:
    outcome = idleq("daemon", "status", "--json", "--server-dir", str(idleq.server_dir.with_name("other")))

    assert outcome.json["server_dir"] == str(idleq.server_dir.with_name("other"))


@pytest.mark.parametrize("arguments", [("--json", "ps", "--bad"), ("ps", "--bad", "--json"), ("--json", "nonsense")])
def test_a_wrong_command_line_is_one_json_value_too(idleq: CommandLine, arguments: tuple[str, ...]) -> None:
    outcome = idleq(*arguments)

    assert (outcome.code, outcome.err) == (2, "")
    assert outcome.json["error"]["kind"] == "UsageError"
    assert outcome.json["error"]["exit_code"] == 2
