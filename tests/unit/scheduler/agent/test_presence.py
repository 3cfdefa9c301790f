"""An agent is found again and never doubled."""

from dataclasses import replace
from pathlib import Path

import pytest

from idleq.ids import NodeName
from idleq.scheduler import codec
from idleq.scheduler.agent.errors import AgentRunning
from idleq.scheduler.agent.presence import Presence, claim, is_alive, present

NODE = NodeName("n1")


def test_the_first_agent_leaves_its_name(tmp_path: Path) -> None:
    claim(tmp_path / "agent.json", present(NODE))
    assert codec.from_json((tmp_path / "agent.json").read_bytes(), Presence) == present(NODE)


def test_a_living_agent_is_not_replaced(tmp_path: Path) -> None:
    claim(tmp_path / "agent.json", present(NODE))
    other = replace(present(NODE), pid=1)
    with pytest.raises(AgentRunning, match="runs already"):
        claim(tmp_path / "agent.json", other)
    assert codec.from_json((tmp_path / "agent.json").read_bytes(), Presence) == present(NODE)


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}, {"pid": 2**22 + 1}])
def test_a_process_with_the_same_number_is_not_taken_for_it(tmp_path: Path, change: dict[str, int | str]) -> None:
    gone = Presence(**{**codec.to_plain(present(NODE)), **change})
    assert not is_alive(gone)
    claim(tmp_path / "agent.json", gone)
    claim(tmp_path / "agent.json", present(NODE))
    assert codec.from_json((tmp_path / "agent.json").read_bytes(), Presence) == present(NODE)


def test_an_agent_that_was_begun_on_another_machine_keeps_its_allocation(tmp_path: Path) -> None:
    elsewhere = replace(present(NodeName("n2")), boot="another")
    claim(tmp_path / "agent.json", elsewhere)
    with pytest.raises(AgentRunning, match="was begun on n2; this one, on n1, leaves"):
        claim(tmp_path / "agent.json", present(NODE))
    assert codec.from_json((tmp_path / "agent.json").read_bytes(), Presence) == elsewhere


def test_half_a_file_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text('{"pid": 1')
    claim(tmp_path / "agent.json", present(NODE))
