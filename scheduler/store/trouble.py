"""Says in our words what went wrong in a database, and what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from idleq.scheduler.errors import JournalDamaged, JournalUnavailable, SchedulerError

REMEDIES = {
    "SQLITE_FULL": "the disk is full: free some space, and idleq goes on by itself",
    "SQLITE_BUSY": "another process keeps it locked: see with `fuser` which one it is",
    "SQLITE_LOCKED": "another process keeps it locked: see with `fuser` which one it is",
    "SQLITE_CANTOPEN": "it cannot be opened: see that its directory exists and is yours",
    "SQLITE_READONLY": "it cannot be written: see that the file is yours and its file system is not read-only",
    "SQLITE_IOERR": "its disk gives errors or is away: see that it is mounted and has space",
}

DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


@contextmanager
def told_as_ours(place: str) -> Iterator[None]:
    """Turn a database's errors into ours; *place* is what people call the database."""
    try:
        yield
    except IntegrityError as error:
        message = f"the journal {place} has been written by another daemon; stop one of them"
        raise JournalUnavailable(message) from error
    except DBAPIError as error:
        raise _ours(place, error.orig) from error
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise _ours(place, error) from error


def _ours(place: str, error: BaseException | None) -> SchedulerError:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(DAMAGED):
        return JournalDamaged(
            f"the journal {place} is damaged ({error}): stop the daemon, move the file away with its -wal and -shm files,"
            " and put a copy of it in its place"
        )
    remedy = next((remedy for code, remedy in REMEDIES.items() if name.startswith(code)), None)
    if remedy is None:
        remedy = "see that the database is up and that it can be reached from here"
    return JournalUnavailable(f"the journal {place} does not answer ({str(error).strip()}): {remedy}")
