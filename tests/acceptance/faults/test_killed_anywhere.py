"""SIGKILL at every place where it could hurt: exactly one accepted result per job, and no job lost.

A point is a place and when: before or after a call that changes the world (see support/faults.py), or a process and an
instant. Which call of the many it is, and which instant, comes from a seed.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from itertools import product

import pytest

from idleq.scheduler.api.client import Json
from idleq.scheduler.core.sitefacts import RequestsSlowed
from idleq.scheduler.errors import Refused
from support.accepted import Crowd, count
from support.faults import AGENT, CLUSTER, DAEMON, SAME
from support.real_server import RealServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("cluster")]

RecordProperty = Callable[[str, object], None]

SEED = 20_261_122
WHEN = ("before", "after")
AT_ENDS = {"request", "release", "admit", "forget", "spawn", "end", "note"}
"""Places that are come to when allocations begin and end, which they do when there is nothing to do for a while."""

FREEZING = {"thaw", "freeze", "signal"}
"""Places that are come to when somebody holds a job and lets it go again."""


def places(role: dict[str, str]) -> list[str]:
    return [f"{place}.{when}" for place, when in product(role, WHEN)]


FROM_OUTSIDE = [f"{kind}.{number}" for kind in ("guest", "agent", "daemon", "cluster") for number in range(5)]
TOGETHER = [
    ("append.after", "flush.before"),
    ("send.before", "start.after"),
    ("publish.before", "exchange.after"),
    ("append.before", "note.after"),
    ("poll.after", "answer.after", "keep.after"),
    ("request.after", "spawn.after"),
]
POINTS = [*places(DAEMON), *places(AGENT), *places(CLUSTER), *FROM_OUTSIDE, *(p for some in TOGETHER for p in some)]


LULL = 80
"""Half of so many glances nothing new is submitted."""


class Siege:
    """A crowd of jobs, and a hand that kills."""

    def __init__(self, server: RealServer, name: str) -> None:
        self.server, self.chance = server, random.Random(f"{SEED} {name}")
        self.crowd = Crowd(server, self.chance)
        self.covered: list[str] = []
        self._turn = 0

    def strike_at(self, *points: str) -> None:
        """Have processes die at *points*, while there is always something to do."""
        for point in points:
            place = point.partition(".")[0]
            self.server.faults.arm(point, self.chance.randint(1, 2 if place in AT_ENDS | FREEZING else 6))
        self.server.until(lambda: all(map(self.server.faults.has_fired, points)), lambda: self._stir(points))
        for point in points:
            (self.server.faults.fired / point).unlink()
        self.covered += points

    def strike_from_outside(self, point: str) -> None:
        """Kill a process of the kind that *point* names, at some instant."""
        kind = point.partition(".")[0]
        for _ in range(self.chance.randint(0, 10)):
            self._stir((point,))
        if kind == "daemon":
            self.server.kill_daemon()
        else:
            self.server.until(lambda: self.server.kill_one(kind, self.chance), lambda: self._stir((point,)))
        self.covered.append(point)

    def end(self) -> str:
        """Let all jobs end, see that nothing was lost, doubled or left, and say what was done."""
        self.server.until(self._let_all_go)
        self.crowd.check()
        # That a process of ours was killed is no refusal of the site's.
        assert self.server.facts_of(RequestsSlowed) == []
        assert self.server.end() == {}
        assert self.server.faults.verdict.read_text() == SAME
        return (
            f"killed at {len(self.covered)} points: {', '.join(self.covered)}; {len(self.crowd.submitted)} entries done"
        )

    def _stir(self, points: tuple[str, ...]) -> None:
        """Do a little of what leads to *points*."""
        calls = {point.partition(".")[0] for point in points}
        self._turn += 1
        if calls & AT_ENDS and self._turn % LULL > LULL // 2:
            self.server.keep_up()
            return
        self.crowd.keep_busy()
        if calls & FREEZING:
            self._freeze_and_thaw()

    def _freeze_and_thaw(self) -> None:
        rows = self.server.ask(lambda client: client.jobs())["jobs"]
        self._let_go(rows)
        counts = [row for row in rows if row["name"] == "count"]
        running = [row["id"] for row in counts if row["state"] == "running"]
        if not counts:
            self.crowd.add(count(30))
        elif running:
            job = self.chance.choice(running)
            with suppress(Refused):  # it was done meanwhile
                self.server.ask(lambda client: client.hold(job, "to see it freeze"))

    def _let_go(self, rows: list[Json]) -> None:
        for job in [row["id"] for row in rows if row["state"] == "held"]:
            self.server.ask(lambda client: client.release(job))  # noqa: B023 - asked before the loop goes on

    def _let_all_go(self) -> bool:
        """Release what is held, and return whether there is nothing that can still be held later."""
        rows = self.server.ask(lambda client: client.jobs())["jobs"]
        self._let_go(rows)
        return all(row["state"] not in {"held", "freezing"} for row in rows)


@pytest.fixture
def siege(server: RealServer, request: pytest.FixtureRequest) -> Siege:
    server.keep_up()
    return Siege(server, request.node.name)


@pytest.mark.parametrize("role", ["daemon", "agent", "cluster"])
def test_a_process_that_dies_before_or_after_any_call_costs_no_result_and_doubles_none(
    siege: Siege, role: str, record_property: RecordProperty
) -> None:
    points = places({"daemon": DAEMON, "agent": AGENT, "cluster": CLUSTER}[role])
    siege.chance.shuffle(points)
    for point in points:
        siege.strike_at(point)
    record_property("summary", siege.end())


def test_processes_killed_at_any_instant_cost_no_result_and_double_none(
    siege: Siege, record_property: RecordProperty
) -> None:
    for point in siege.chance.sample(FROM_OUTSIDE, len(FROM_OUTSIDE)):
        siege.strike_from_outside(point)
    record_property("summary", siege.end())


def test_several_processes_that_die_together_cost_no_result_and_double_none(
    siege: Siege, record_property: RecordProperty
) -> None:
    for points in TOGETHER:
        siege.strike_at(*points)
    record_property("summary", siege.end())


def test_at_least_fifty_points_are_covered() -> None:
    assert len(POINTS) >= 50
