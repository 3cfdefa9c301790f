"""What every journal keeps to, the one in memory too."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idleq.ids import Millis
from idleq.scheduler.core.commands import Command
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.ports import Turn
from idleq.scheduler.store.database import sqlite_url
from idleq.scheduler.store.journal import Journal
from idleq.scheduler.store.memory import MemoryJournal
from support import messages
from support.turns import facts_of, turn

KINDS = ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
TURNS = st.builds(
    Turn,
    at=st.integers(0, 2**62).map(Millis),
    facts=st.lists(messages.of_family(Fact), max_size=3).map(tuple),
    commands=st.lists(messages.of_family(Command), max_size=2).map(tuple),
)


@pytest.fixture(params=KINDS)
def journal(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Journal | MemoryJournal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else sqlite_url(tmp_path / "j.db")
    opened = Journal.open(url)
    yield opened
    opened.close()


def test_a_new_journal_holds_nothing(journal: Journal | MemoryJournal) -> None:
    journal.append([])
    assert list(journal.facts()) == []
    assert list(journal.commands()) == []


def test_facts_and_commands_come_back_in_order_with_the_time_of_their_turn(journal: Journal | MemoryJournal) -> None:
    turns = [turn(3), turn(1), turn(2)]
    journal.append(turns[:2])
    journal.append(turns[2:])
    assert list(journal.facts()) == facts_of(*turns)
    assert list(journal.commands()) == [(turn.at, turn.commands[0]) for turn in turns]


def test_more_than_is_read_at_once_comes_back_in_order(journal: Journal | MemoryJournal) -> None:
    turns = [turn(number) for number in range(5100)]
    journal.append(turns)
    assert list(journal.facts()) == facts_of(*turns)


def test_a_turn_without_facts_keeps_its_commands(journal: Journal | MemoryJournal) -> None:
    whole = turn(1)
    journal.append([Turn(at=whole.at, facts=(), commands=whole.commands)])
    assert (list(journal.facts()), list(journal.commands())) == ([], [(whole.at, whole.commands[0])])


def test_of_a_batch_with_a_turn_that_cannot_be_written_nothing_is(journal: Journal | MemoryJournal) -> None:
    journal.append([turn(1)])
    with pytest.raises(BadMessage, match="no text"):
        journal.append([turn(2), turn(3, reason="\ud800")])
    assert list(journal.facts()) == facts_of(turn(1))
    journal.append([turn(4)])
    assert list(journal.facts()) == facts_of(turn(1), turn(4))


def test_who_began_to_read_is_not_disturbed_by_who_writes(journal: Journal | MemoryJournal) -> None:
    journal.append([turn(1)])
    reader = journal.facts()
    first = next(reader)
    journal.append([turn(2)])
    assert [first, *reader][:2] == facts_of(turn(1))
    assert list(journal.facts()) == facts_of(turn(1), turn(2))


def test_every_text_survives(journal: Journal | MemoryJournal) -> None:
    odd = "nul \0, quote ' \" \\ %s :name, ünïcode 🚀\n\u2028"
    journal.append([turn(1, reason=odd)])
    assert list(journal.facts()) == facts_of(turn(1, reason=odd))


@given(batches=st.lists(st.lists(TURNS, max_size=3), max_size=3))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_whatever_is_appended_is_what_is_read(journal: Journal | MemoryJournal, batches: list[list[Turn]]) -> None:
    before = list(journal.facts()), list(journal.commands())
    for batch in batches:
        journal.append(batch)
    turns = [turn for batch in batches for turn in batch]
    assert list(journal.facts()) == before[0] + facts_of(*turns)
    assert list(journal.commands()) == before[1] + [(turn.at, each) for turn in turns for each in turn.commands]
