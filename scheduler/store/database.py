"""Opens databases so that what is committed is on the disk."""

import os
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from idleq.scheduler.errors import JournalUnavailable

BUSY_MS = 5000
"""How long SQLite waits for another process (a reader that cleans up, a copy) before it gives up."""

READS_ONLY = "idleq_reads_only"

CONNECT_SECONDS = 5
"""How long to wait for PostgreSQL to answer at all."""


def open_database(url: str, *, create: bool) -> Engine:
    """Return the database at *url*; a SQLite file is made if there is none and *create* says so.

    Raises:
        JournalUnavailable: there is none, or *url* is no URL of one.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise JournalUnavailable(
            "the journal's database URL cannot be read; see server.database in config.toml"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, create=create)
    psycopg = parsed.set(drivername="postgresql+psycopg")
    return create_engine(psycopg, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_SECONDS})


def reading(engine: Engine) -> Connection:
    """Return a connection that only reads, and so waits for nobody."""
    return engine.connect().execution_options(**{READS_ONLY: True})


def sqlite_url(path: Path) -> str:
    """Return the URL of the SQLite file at *path*."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def _open_sqlite(url: URL, *, create: bool) -> Engine:
    path = Path(url.database or "")
    if not create and not path.is_file():
        raise JournalUnavailable(
            f"there is no journal at {path}: has a daemon ever run here? Start one with `idleq daemon start`"
        )
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise JournalUnavailable(f"the journal {path} cannot be opened: {error.strerror}") from error
    engine = create_engine(url, connect_args={"timeout": BUSY_MS / 1000})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: SqliteConnection, _record: object) -> None:
    # Python's own way of opening transactions leaves DDL outside of them; ours are opened by _begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    (mode,) = cursor.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        connection.close()
        raise JournalUnavailable(
            "SQLite cannot keep the journal safe on this file system: set server.database in config.toml"
            " to a file on a local disk, or to a PostgreSQL URL"
        )
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer takes the write lock at once: a transaction that takes it later may be refused without waiting.
    reads_only = connection.get_execution_options().get(READS_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
