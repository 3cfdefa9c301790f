import os
from pathlib import Path

from idleq.simulator.host import agent_argv, ending
from idleq.simulator.proc import Traced, members

SCRATCH = Path("/scratch/n1/a1")


def table(*processes: Traced) -> dict[int, Traced]:
    return {process.pid: process for process in processes}


def process(pid: int, parent: int, session: int = 1, trace: str = "") -> Traced:
    return Traced(pid=pid, parent=parent, session=session, traces=(os.fsencode(trace),) if trace else ())


def test_all_below_an_agent_and_in_its_session_belong_to_its_allocation() -> None:
    found = table(
        process(1, 0),
        process(10, 1, 1),
        process(20, 10, 20),
        process(21, 20, 21),
        process(22, 21, 22),
        process(23, 1, 20),
        process(30, 10, 30),
        process(31, 30, 31),
    )
    assert members(found, 20, SCRATCH, own=10, other_agents=[30]) == {20, 21, 22, 23}


def test_a_trace_of_the_scratch_gives_a_process_away_but_not_one_of_a_longer_name() -> None:
    found = table(
        process(1, 0),
        process(40, 1, trace="/scratch/n1/a1/tmp"),
        process(41, 40),
        process(42, 1, trace="/scratch/n1/a1"),
        process(43, 1, trace="/scratch/n1/a11/tmp"),
    )
    assert members(found, None, SCRATCH, own=10, other_agents=[]) == {40, 41, 42}


def test_orphans_that_came_to_us_belong_to_the_agent_that_is_gone_and_other_agents_are_spared() -> None:
    found = table(process(10, 1), process(50, 10), process(51, 50), process(30, 10), process(31, 30))
    assert members(found, 20, SCRATCH, own=10, other_agents=[30]) == {50, 51}


def test_a_living_agent_is_not_charged_with_others_orphans() -> None:
    found = table(process(10, 1), process(20, 10, 20), process(50, 10))
    assert members(found, 20, SCRATCH, own=10, other_agents=[]) == {20}


def test_words_in_braces_are_replaced_and_other_braces_stay() -> None:
    words = {"node": "n1", "scratch": "/a {node} b"}
    assert agent_argv(["{node}", "--at={scratch}", "{}", "{other}"], words) == [
        "n1",
        "--at=/a {node} b",
        "{}",
        "{other}",
    ]


def test_how_an_agent_ended_is_said_in_words() -> None:
    assert [ending(code) for code in (None, 0, 3, -9)] == [
        "its agent has gone",
        "its agent has left",
        "its agent ended with exit code 3",
        "its agent was ended by signal 9",
    ]
