"""`idleq gaps`: what people and scripts are told of gaps, once and as they change."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from msgspec import structs

from idleq.cli.client import Nodes
from idleq.cli.commands.gaps import Moment, draw
from idleq.cli.gaps import GapRow, GapState, changed, gap_row
from idleq.cli.session import Session
from idleq.ids import Millis, NodeName
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.rows import NodeRow
from idleq.scheduler.errors import DaemonAway
from idleq.scheduler.plain import to_plain
from support.command_line import BUSY_NODE, DOWN_NODE, FREE_NODE, GUEST_NODE, MINUTE, NOW, SECOND, CommandLine, FakeWire

PLANNED = structs.replace(
    FREE_NODE,
    gap_source="the plan of job 4",
    gap_early=Millis(NOW + 9 * SECOND),
    gap_trust=52,
    gap_cases=3,
)
COMING = structs.replace(
    BUSY_NODE, main_job="7,8", opens_until=Millis(NOW + 9 * MINUTE), gap_source="maintenance upkeep"
)


@dataclass(slots=True)
class ChangingWire(FakeWire):
    """Tells of other nodes each time; then the daemon is gone."""

    looks: list[tuple[NodeRow, ...]] = field(default_factory=list)

    def nodes(self) -> dict[str, object]:
        if not self.looks:
            raise DaemonAway("no daemon serves it")
        return to_plain(Nodes(self.looks.pop(0)))  # type: ignore[no-any-return]  # what a class becomes has no static type


def test_gaps_are_told_with_their_ends_the_trust_in_them_and_why(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(node_rows=(PLANNED, COMING, GUEST_NODE, DOWN_NODE))

    lines = [line.rstrip() for line in idleq("gaps").out.splitlines()]

    assert lines == [
        "NODE  GAP     FREE         FROM     UNTIL     AT LEAST  TRUST          WHY",
        "n1    open    4 cores, 8G  12s ago  in 1m35s  in 9s     52 % (3 seen)  the plan of job 4",
        "n2    coming  -            in 3m    in 9m     -         -              jobs 7, 8 end by time limit; then maintenance upkeep",
        "n3    open    4 cores, 8G  12s ago  unknown   -         -              no main job is planned here",
        "n4    closed  -            -        -         -         -              drain",
        "",
        "4 nodes: 2 open, 1 coming, 1 closed",
    ]


def test_memory_without_a_core_is_not_told_as_free(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(node_rows=(structs.replace(COMING, free=Resources(0, 3 * 2**30)),))

    assert idleq("gaps").out.splitlines()[1].split()[:4] == ["n2", "coming", "-", "in"]
    assert idleq("gaps", "--json").json["gaps"][0]["free"] == {"cores": 0, "memory": 3 * 2**30, "gpus": 0}


def test_scripts_get_all_of_it_and_the_names_of_open_ones(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(node_rows=(PLANNED, COMING, DOWN_NODE))

    first = idleq("gaps", "--json").json["gaps"][0]

    assert first == {
        "node": "n1",
        "state": "open",
        "free": {"cores": 4, "memory": 8 * 2**30, "gpus": 0},
        "begins": NOW - 12 * SECOND,
        "ends": NOW + 95 * SECOND,
        "early": NOW + 9 * SECOND,
        "trust": 52,
        "cases": 3,
        "why": "the plan of job 4",
    }
    assert idleq("gaps", "--quiet").out == "n1\n"


@pytest.mark.parametrize(
    ("node", "begins", "why"),
    [
        (BUSY_NODE, BUSY_NODE.busy_until, "job main-7 ends by time limit"),
        (structs.replace(BUSY_NODE, busy_until=Millis(NOW + 10**15)), None, "job main-7: no end is known"),
        (structs.replace(BUSY_NODE, busy_until=None, main_job=""), None, "main jobs: no end is known"),
    ],
)
def test_a_gap_comes_when_the_jobs_there_end_by_their_limits(node: NodeRow, begins: Millis | None, why: str) -> None:
    row = gap_row(node, NOW)

    assert (row.state, row.begins, row.ends, row.why) == (GapState.COMING, begins, None, why)


def told(idleq: CommandLine, *options: str, looks: list[tuple[NodeRow, ...]]) -> list[str]:
    """The lines of a watch that ends when the daemon does."""
    idleq.wire = ChangingWire(looks=looks)
    outcome = idleq("gaps", "--watch", "--every", "0.1", *options)
    assert outcome.code == 14
    return outcome.out.splitlines()


def test_watching_tells_each_change_once_and_no_passing_of_time(idleq: CommandLine) -> None:
    nearer = structs.replace(PLANNED, gap_early=Millis(NOW), gap_trust=50, gap_cases=9)
    longer = structs.replace(PLANNED, gap_until=Millis(NOW + 10 * MINUTE))

    lines = told(idleq, looks=[(PLANNED, DOWN_NODE), (nearer, DOWN_NODE), (longer,), (longer, COMING)])

    assert [line.partition("  ")[2] for line in lines] == [
        "n1: 4 cores, 8G free, ends in 1m35s, at least 9s (the plan of job 4; trust 52 %, 3 seen)",
        "n4: closed (drain)",
        "n1: 4 cores, 8G free, ends in 10m, at least 9s (the plan of job 4; trust 52 %, 3 seen)",
        "n4: gone",
        "n2: a gap begins in 3m, ends in 9m (jobs 7, 8 end by time limit; then maintenance upkeep)",
    ]


def test_watching_in_json_is_one_value_a_line(idleq: CommandLine) -> None:
    *lines, last = told(idleq, "--json", looks=[(PLANNED, DOWN_NODE), (PLANNED,)])

    values: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [(value["at"], value.get("gone") or value["gap"]["node"]) for value in values] == [
        (NOW, "n1"),
        (NOW, "n4"),
        (NOW, "n4"),
    ]
    assert json.loads(last)["error"]["kind"] == "DaemonAway"


def test_the_daemon_is_not_asked_without_a_pause(idleq: CommandLine) -> None:
    outcome = idleq("gaps", "--watch", "--every", "0")

    assert (outcome.code, "'--every': it must be at least 0.1, not 0" in outcome.err) == (2, True)


def test_watching_quietly_names_the_nodes_that_change(idleq: CommandLine) -> None:
    assert told(idleq, "--quiet", looks=[(PLANNED,), (PLANNED, DOWN_NODE)]) == ["n1", "n4"]


def test_a_terminal_gets_a_picture_that_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    screen = Screen()

    draw(session_on(screen), looked((PLANNED,), (DOWN_NODE,)))

    assert "52 % (3 seen)   the plan of job 4" in screen.getvalue()
    assert "1 node: 0 open, 0 coming, 1 closed" in screen.getvalue()
    assert screen.getvalue().index("1 open") < screen.getvalue().index("1 closed")


class Screen(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        return True


def session_on(screen: Screen) -> Session:
    def nobody(_paths: object) -> Any:
        raise AssertionError

    return Session(environment={"NO_COLOR": "1", "TERM": "xterm"}, now=lambda: NOW, connect=nobody, stdout=screen)


def looked(*nodes: tuple[NodeRow, ...]) -> Iterator[Moment]:
    for rows in nodes:
        yield NOW, [gap_row(row, NOW) for row in rows]


def test_only_what_is_believed_otherwise_has_changed() -> None:
    row = gap_row(PLANNED, NOW)
    before = {NodeName("n1"): row}

    assert list(changed(before, [replace(row, early=None, trust=None, cases=0)])) == []
    for other in (replace(row, ends=None), replace(row, why="else"), replace(row, state=GapState.CLOSED)):
        assert list(changed(before, [other])) == [other]
    assert list(changed({}, [row])) == [row]
    assert isinstance(row, GapRow)
