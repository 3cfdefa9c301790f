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
    """Begin a reign in this transaction; return its number."""
    known = _known(connection)
    if known is None:
        connection.execute(insert(META).values(name=EPOCH, value="1"))
        return 1
    connection.execute(update(META).where(META.c.name == EPOCH).values(value=str(known + 1)))
    return known + 1


def check_epoch(connection: Connection, epoch: int, place: str) -> None:
    """Raise Superseded unless *epoch* is the reign of this transaction; a new one cannot begin before it ends."""
    known = _known(connection)
    if known != epoch:
        raise Superseded(
            f"another daemon writes the journal {place} now (epoch {known}, ours was {epoch}): this one stops"
        )


def _known(connection: Connection) -> int | None:
    # Once in each transaction, so as plain as can be; PostgreSQL locks the row meanwhile, SQLite's writers are alone anyway.
    asked = KNOWN if connection.dialect.name == "sqlite" else f"{KNOWN} FOR UPDATE"
    found = connection.exec_driver_sql(asked).scalar()
    return None if found is None else int(found)
