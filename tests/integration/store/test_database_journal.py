"""What holds for journals in a database, whichever it is."""

import pytest
from sqlalchemy import Connection, inspect, text

from idleq.scheduler.errors import JournalDamaged, JournalTooNew, JournalUnavailable, Superseded
from idleq.scheduler.store.database import open_database
from idleq.scheduler.store.journal import CHUNK, Journal
from idleq.scheduler.store.migrations import STEPS, migrate
from idleq.scheduler.store.tables import JournalTable
from support.turns import facts_of, turn


def test_a_journal_opened_again_goes_on_where_it_was(database_url: str) -> None:
    for number in (1, 2, 3):
        journal = Journal.open(database_url)
        journal.append([turn(number)])
        journal.close()
    journal = Journal.open(database_url)
    assert list(journal.facts()) == facts_of(turn(1), turn(2), turn(3))
    assert [number for number, _, _ in journal.facts_since(0)] == [1, 2, 4, 5, 7, 8]  # the commands have the others
    journal.close()


def test_facts_are_read_from_a_number_on_and_by_kind(database_url: str) -> None:
    journal = Journal.open(database_url)
    journal.append([turn(1), turn(2)])
    numbered = list(journal.facts_since(0))
    assert [(at, fact) for _, at, fact in numbered] == facts_of(turn(1), turn(2))
    assert [number for number, _, _ in numbered] == [1, 2, 4, 5]  # the command of turn 1 has number 3
    assert list(journal.facts_since(numbered[1][0])) == numbered[2:]
    assert list(journal.facts_since(0, {"EntryReady"})) == numbered[::2]
    assert list(journal.facts_since(numbered[0][0], ["EntryReady", "NodesSeen"])) == [numbered[2]]
    assert list(journal.facts_since(0, [])) == []
    journal.close()


def test_a_kind_that_fills_many_chunks_is_read_whole(database_url: str) -> None:
    journal = Journal.open(database_url)
    journal.append([turn(number) for number in range(CHUNK * 2)])
    assert [fact for _, _, fact in journal.facts_since(0, {"EntryReady"})] == [
        turn(number).facts[0] for number in range(CHUNK * 2)
    ]
    journal.close()


def test_a_second_writer_is_refused_and_writes_nothing(database_url: str) -> None:
    one, other = Journal.open(database_url), Journal.open(database_url)
    one.append([turn(1)])
    other.append([turn(2)])
    with pytest.raises(JournalUnavailable, match="has been written by another daemon; stop one of them"):
        one.append([turn(3), turn(4)])
    assert list(one.facts()) == facts_of(turn(1), turn(2))
    one.append([turn(5)])
    assert list(other.facts()) == facts_of(turn(1), turn(2), turn(5))
    one.close()
    other.close()


def test_of_two_daemons_only_the_one_that_came_last_writes_however_long_the_other_was_stopped(
    database_url: str,
) -> None:
    old, new = Journal.open(database_url), Journal.open(database_url)
    assert old.begin_epoch() == 1
    old.append([turn(1)])
    assert new.begin_epoch() == 2
    with pytest.raises(Superseded, match=r"epoch 2, ours was 1"):
        old.append([turn(2)])
    new.append([turn(3)])
    with pytest.raises(Superseded):
        old.append([turn(4)])
    assert list(new.facts()) == facts_of(turn(1), turn(3))
    third = Journal.open(database_url)
    assert third.begin_epoch() == 3, "it is in the journal, not in a process"
    for journal in (old, new, third):
        journal.close()


def test_a_journal_of_a_newer_idleq_is_left_alone(database_url: str) -> None:
    Journal.open(database_url).close()
    execute(database_url, "UPDATE meta SET value = '99'")
    with pytest.raises(JournalTooNew, match=f"has format 99 and this idleq knows formats up to {len(STEPS)}: update"):
        Journal.open(database_url)
    assert execute(database_url, "SELECT value FROM meta") == [("99",)]


@pytest.mark.parametrize(("table", "what"), [("facts", "fact 2"), ("commands", "command 3")])
@pytest.mark.parametrize("change", ["body = '{'", "kind = 'Teleported'"])
def test_a_line_that_cannot_be_read_is_named(database_url: str, table: str, what: str, change: str) -> None:
    journal = Journal.open(database_url)
    journal.append([turn(1)])
    execute(database_url, f"UPDATE {table} SET {change} WHERE seq = {what.split()[1]}")
    with pytest.raises(JournalDamaged, match=f"^{what} in the journal .* cannot be read"):
        [*journal.facts(), *journal.commands()]
    journal.close()


def test_the_steps_lead_to_the_tables_that_the_code_uses(database_url: str) -> None:
    Journal.open(database_url).close()
    migrated = layout(database_url)
    for name in ("facts", "commands", "meta"):
        execute(database_url, f"DROP TABLE {name}")
    engine = open_database(database_url, create=False)
    JournalTable.metadata.create_all(engine)
    engine.dispose()
    assert migrated == layout(database_url)


def test_a_journal_of_every_older_format_is_brought_up_with_all_that_it_holds(database_url: str) -> None:
    for older in range(1, len(STEPS)):
        engine = open_database(database_url, create=True)
        migrate(engine, STEPS[:older])
        engine.dispose()
        row = f"{older}, {older}, 100, 'EntryReady', '{{\"entry\": {older}}}'"
        execute(database_url, f"INSERT INTO facts (seq, turn, at, kind, body) VALUES ({row})")
        journal = Journal.open(database_url)
        assert [(number, at, fact.entry) for number, at, fact in journal.facts_since(0)] == [(older, 100, older)]  # type: ignore[union-attr]  # EntryReady has it
        journal.append([turn(7)])
        assert list(journal.facts())[1:] == facts_of(turn(7))
        journal.close()
        assert execute(database_url, "SELECT value FROM meta") == [(str(len(STEPS)),)]
        for name in ("facts", "commands", "meta"):
            execute(database_url, f"DROP TABLE {name}")


def test_a_step_that_fails_leaves_the_format_before_it(database_url: str) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (x INTEGER)"))
        raise RuntimeError("the power is gone")

    Journal.open(database_url).close()
    before = layout(database_url)
    engine = open_database(database_url, create=False)
    with pytest.raises(RuntimeError, match="the power is gone"):
        migrate(engine, [*STEPS, half])
    engine.dispose()
    assert layout(database_url) == before
    assert execute(database_url, "SELECT value FROM meta") == [(str(len(STEPS)),)]


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = open_database(url, create=False)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def layout(url: str) -> dict[str, object]:
    engine = open_database(url, create=False)
    found = inspect(engine)
    tables = {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            [(index["name"], index["column_names"]) for index in found.get_indexes(name)],
        )
        for name in sorted(found.get_table_names())
    }
    engine.dispose()
    return dict(tables)
