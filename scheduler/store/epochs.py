"""Who may write the journal: the daemon that came last. Its number stands in the journal itself, and is looked at in each transaction.

So a daemon that was stopped (with its machine, by a debugger, by a shared file system that hung) and wakes when another one has
taken its place writes nothing any more, whatever it believes.
"""

from sqlalchemy import Connection, Table, insert, update

from idleq.scheduler.errors import Superseded
from idleq.scheduler.store.tables import MetaRow

META: Table = MetaRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
EPOCH = "epoch"
KNOWN = "SELECT value FROM meta WHERE name = 'epoch'"


def next_epoch(connection: Connection) -> int:
    """Begin an epoch in this transaction; return its number."""
    known = _known(connection)
    if known is None:
        connection.execute(insert(META).values(name=EPOCH, value="1"))
        return 1
    connection.execute(update(META).where(META.c.name == EPOCH).values(value=str(known + 1)))
    return known + 1


def check_epoch(connection: Connection, epoch: int, place: str) -> None:
    """Raise Superseded unless *epoch* is the one that holds; in this transaction no other can begin."""
    known = _known(connection)
    if known != epoch:
        raise Superseded(
            f"another daemon writes the journal {place} now (epoch {known}, ours was {epoch}): this one stops"
        )


def _known(connection: Connection) -> int | None:
    if connection.dialect.name == "sqlite":
        # In each transaction, and so past SQLAlchemy, which takes ten times as long as SQLite. Its writers are alone anyway.
        row = connection.connection.cursor().execute(KNOWN).fetchone()
    else:
        row = connection.exec_driver_sql(f"{KNOWN} FOR UPDATE").fetchone()
    return None if row is None else int(row[0])
