from pathlib import Path

import pytest
from sqlalchemy import text

from idleq.scheduler.errors import JournalUnavailable
from idleq.scheduler.store.journal import Journal
from support.turns import facts_of, turn


def test_a_server_that_is_away_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="see that the database is up and that it can be reached") as caught:
        Journal.open(f"postgresql://idleq:secret@/idleq?host={tmp_path}")
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_a_connection_that_was_cut_is_made_anew(postgres_url: str) -> None:
    journal = Journal.open(postgres_url)
    journal.append([turn(1)])
    with journal._engine.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
    other = Journal.open(postgres_url)
    with other._engine.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    other.close()
    journal.append([turn(2)])
    assert list(journal.facts()) == facts_of(turn(1), turn(2))
    journal.close()


@pytest.mark.postgres
def test_a_copy_is_made_by_the_databases_own_tools(postgres_url: str, tmp_path: Path) -> None:
    journal = Journal.open(postgres_url)
    with pytest.raises(JournalUnavailable, match="is no file: copy it with pg_dump"):
        journal.copy_to(tmp_path / "copy")
    journal.close()
