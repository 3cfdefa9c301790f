"""The journal's formats, oldest first, and the step that leads to each. There is no way back.

A step never uses the tables of `tables`, which are the newest format's, and is never changed once released.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, inspect, text

from idleq.scheduler.errors import JournalTooNew
from idleq.scheduler.store.database import reading


def _first_tables(connection: Connection) -> None:
    whole = "INTEGER" if connection.dialect.name == "sqlite" else "BIGINT"
    row = f"(seq {whole} NOT NULL PRIMARY KEY, turn {whole} NOT NULL, at {whole} NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL)"
    connection.execute(text(f"CREATE TABLE facts {row}"))
    connection.execute(text(f"CREATE TABLE commands {row}"))
    connection.execute(text("CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)"))
    connection.execute(text("INSERT INTO meta (name, value) VALUES ('format', '0')"))


def _facts_by_kind(connection: Connection) -> None:
    # Reports read a few kinds out of a journal that is mostly NodesSeen.
    connection.execute(text("CREATE INDEX facts_by_kind ON facts (kind, seq)"))


STEPS: Sequence[Callable[[Connection], None]] = (_first_tables, _facts_by_kind)
"""The step at place n leads from format n to format n + 1; format 0 is an empty database."""


def migrate(engine: Engine, steps: Sequence[Callable[[Connection], None]] = STEPS) -> None:
    """Bring the journal to the newest format; each step happens wholly or not at all.

    Raises:
        JournalTooNew: its format is newer than any that this idleq knows.
    """
    for number, step in enumerate(steps, start=1):
        with engine.begin() as connection:
            _alone(connection)
            if _format(connection) < number:
                step(connection)
                connection.execute(
                    text("UPDATE meta SET value = :format WHERE name = 'format'"), {"format": str(number)}
                )
    with reading(engine) as connection:
        found = _format(connection)
    if found > len(steps):
        raise JournalTooNew(
            f"the journal has format {found} and this idleq knows formats up to {len(steps)}: update this idleq"
        )


def _alone(connection: Connection) -> None:
    """See that nobody else migrates at the same time (SQLite's transactions begin with its write lock)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7301017)"))


def _format(connection: Connection) -> int:
    if not inspect(connection).has_table("meta"):
        return 0
    return int(connection.execute(text("SELECT value FROM meta WHERE name = 'format'")).scalar_one())
