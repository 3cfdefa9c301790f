"""An agent is found again and never doubled."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from idleq.ids import NodeName
from idleq.scheduler import codec
from idleq.scheduler.agent.errors import AgentRunning
from idleq.scheduler.agent.presence import Presence, claimed, is_alive, present
from idleq.scheduler.paths import AllocationPaths

NODE = NodeName("n1")


def begin(where: Path, one: Presence) -> None:
    """Be an agent for a moment."""
    with claimed(AllocationPaths(where), one):
        pass


def written(where: Path) -> Presence:
    return codec.from_json((where / "agent.json").read_bytes(), Presence)


def test_the_first_agent_leaves_its_name(tmp_path: Path) -> None:
    begin(tmp_path, present(NODE))
    assert written(tmp_path) == present(NODE)


def test_a_living_agent_is_not_replaced_by_one_that_no_lock_holds_up(tmp_path: Path) -> None:
    begin(tmp_path, present(NODE))
    with pytest.raises(AgentRunning, match=f"runs already \\(process {os.getpid()}\\)"):
        begin(tmp_path, replace(present(NODE), pid=1))
    assert written(tmp_path) == present(NODE)


def test_of_two_that_begin_at_once_and_know_nothing_of_each_other_one_leaves(tmp_path: Path) -> None:
    with claimed(AllocationPaths(tmp_path), present(NODE)):
        (tmp_path / "agent.json").unlink()
        with pytest.raises(AgentRunning, match="it has only just begun"):
            begin(tmp_path, replace(present(NODE), pid=1))
    assert not (tmp_path / "agent.json").exists()


def no_locks(_descriptor: int) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_where_there_are_no_locks_who_was_written_over_leaves(tmp_path: Path) -> None:
    other = replace(present(NODE), pid=1)

    def other_begins() -> None:
        (tmp_path / "agent.json").write_bytes(codec.to_json(other))

    with (
        pytest.raises(AgentRunning, match=r"began with this one \(process 1 on n1\)"),
        claimed(AllocationPaths(tmp_path), present(NODE), no_locks, other_begins),
    ):
        pytest.fail("it went on")
    assert written(tmp_path) == other


def test_where_there_are_no_locks_one_that_is_alone_goes_on(tmp_path: Path) -> None:
    with claimed(AllocationPaths(tmp_path), present(NODE), no_locks, lambda: None):
        assert written(tmp_path) == present(NODE)


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}, {"pid": 2**22 + 1}])
def test_a_process_with_the_same_number_is_not_taken_for_it(tmp_path: Path, change: dict[str, int | str]) -> None:
    gone = Presence(**{**codec.to_plain(present(NODE)), **change})
    assert not is_alive(gone)
    begin(tmp_path, gone)
    begin(tmp_path, present(NODE))
    assert written(tmp_path) == present(NODE)


def test_an_agent_that_was_begun_on_another_machine_keeps_its_allocation(tmp_path: Path) -> None:
    elsewhere = replace(present(NodeName("n2")), boot="another")
    begin(tmp_path, elsewhere)
    with pytest.raises(AgentRunning, match="was begun on n2; this one, on n1, leaves"):
        begin(tmp_path, present(NODE))
    assert written(tmp_path) == elsewhere


def test_half_a_file_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text('{"pid": 1')
    begin(tmp_path, present(NODE))
    assert written(tmp_path) == present(NODE)
