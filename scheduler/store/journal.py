"""The journal in a database: SQLite in a file, or PostgreSQL."""

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, insert, select

from idleq.ids import Millis
from idleq.scheduler import codec
from idleq.scheduler.atomic import sync_directory
from idleq.scheduler.core.commands import Command
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.errors import BadMessage, JournalDamaged, JournalUnavailable
from idleq.scheduler.ports import Turn
from idleq.scheduler.store.database import open_database, reading
from idleq.scheduler.store.epochs import check_epoch, next_epoch
from idleq.scheduler.store.migrations import migrate
from idleq.scheduler.store.tables import CommandRow, FactRow
from idleq.scheduler.store.trouble import told_as_ours

CHUNK = 5000
"""Rows read at once: enough to be quick, few enough to stay small."""

FACTS: Table = FactRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
COMMANDS: Table = CommandRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it


class Journal:
    """Implements ports.Journal. One thread appends; any may read meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._place = engine.url.database if engine.dialect.name == "sqlite" else str(engine.url)
        self._last: tuple[int, int] | None = None
        self._epoch: int | None = None

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> "Journal":
        """Open the journal at *url* and bring it to the newest format.

        Raises:
            JournalUnavailable: it cannot be opened, or there is none and *create* is false.
            JournalTooNew: a newer idleq wrote it.
            JournalDamaged: it is no journal.
        """
        journal = cls(open_database(url, create=create))
        try:
            with told_as_ours(journal.place):
                migrate(journal._engine)
        except BaseException:
            journal.close()
            raise
        return journal

    @property
    def place(self) -> str:
        """What people call the database: a file's path, or a URL without its password."""
        return str(self._place)

    def begin_epoch(self) -> int:
        """Be the only one that may append from now on; return the number of this epoch, higher than any before.

        Whoever appended before finds itself superseded, however long it was stopped in between.
        """
        with told_as_ours(self.place), self._engine.begin() as connection:
            self._epoch = next_epoch(connection)
        self._last = None
        return self._epoch

    def append(self, turns: Sequence[Turn]) -> None:
        """Write *turns* durably, all or none.

        Raises:
            Superseded: another daemon writes this journal now; nothing was written.
            JournalUnavailable: nothing was written; only where a database on the network went away in the very moment
                of the commit can all have been, so read the journal before trying again.
        """
        last, self._last = self._last, None  # as long as this has not gone well, nothing is known
        with told_as_ours(self.place), self._engine.begin() as connection:
            if self._epoch is not None:
                check_epoch(connection, self._epoch, self.place)
            last = _write(connection, turns, last or _last_numbers(connection))
        self._last = last

    def facts(self) -> Iterator[tuple[Millis, Fact]]:
        """Yield every fact with its time, oldest first."""
        return ((at, fact) for _, at, fact in self.facts_since(0))

    def facts_since(self, seq: int, kinds: Collection[str] | None = None) -> Iterator[tuple[int, Millis, Fact]]:
        """Yield the facts after number *seq*, each with its own number and time; only those of *kinds* if given."""
        for number, at, kind, body in self._rows(FACTS, seq, kinds):
            try:
                fact = codec.decode_fact(kind, body)
            except BadMessage as error:
                raise _unreadable(f"fact {number}", self.place, error) from error
            yield number, Millis(at), fact

    def last_at(self) -> Millis:
        """Return the time of the last turn, 0 if there is none."""
        with told_as_ours(self.place), self._engine.connect() as connection:
            found = connection.execute(select(FACTS.c.at).order_by(FACTS.c.seq.desc()).limit(1)).scalar()
        return Millis(found or 0)

    def commands(self) -> Iterator[tuple[Millis, Command]]:
        """Yield every command with the time of its turn, oldest first."""
        for number, at, kind, body in self._rows(COMMANDS, 0, None):
            try:
                command = codec.decode_command(kind, body)
            except BadMessage as error:
                raise _unreadable(f"command {number}", self.place, error) from error
            yield Millis(at), command

    def copy_to(self, path: Path) -> None:
        """Make *path* a whole copy of the journal as it is now, durably; an older copy there is replaced.

        Raises:
            JournalUnavailable: no copy was made; an older one is as it was.
        """
        if self._engine.dialect.name != "sqlite":
            raise JournalUnavailable(f"{self.place} is no file: copy it with pg_dump")
        beside = path.with_name(f".{path.name}.copy")
        try:
            beside.unlink(missing_ok=True)
            with told_as_ours(self.place):
                self._vacuum_into(beside)
            _sync_file(beside)
            beside.replace(path)
            sync_directory(path.parent)
        except OSError as error:
            raise JournalUnavailable(f"the journal cannot be copied to {path}: {error.strerror}") from error
        finally:
            beside.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the database; what was appended is in it."""
        self._engine.dispose()

    def _vacuum_into(self, path: Path) -> None:
        connection = self._engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM INTO ?", (str(path),))
        finally:
            connection.close()

    def _rows(self, table: Table, seq: int, kinds: Collection[str] | None) -> Iterator[Any]:
        """Read in chunks, each by itself, so that a slow reader holds nothing up."""
        query = select(table.c.seq, table.c.at, table.c.kind, table.c.body).order_by(table.c.seq).limit(CHUNK)
        if kinds is not None:
            query = query.where(table.c.kind.in_(sorted(kinds)))
        while True:
            with told_as_ours(self.place), reading(self._engine) as connection:
                rows = connection.execute(query.where(table.c.seq > seq)).all()
            yield from rows
            if len(rows) < CHUNK:
                return
            seq = rows[-1][0]


def _last_numbers(connection: Connection) -> tuple[int, int]:
    """Return the highest seq and turn in the journal; both count up, through facts and commands alike."""
    found = [
        connection.execute(select(func.max(table.c.seq), func.max(table.c.turn))).one() for table in (FACTS, COMMANDS)
    ]
    return max(seq or 0 for seq, _ in found), max(turn or 0 for _, turn in found)


def _write(connection: Connection, turns: Sequence[Turn], last: tuple[int, int]) -> tuple[int, int]:
    seq, number = last
    facts: list[dict[str, Any]] = []
    commands: list[dict[str, Any]] = []
    for number, turn in enumerate(turns, start=number + 1):  # noqa: B020 - it goes on from the last turn's
        for rows, values in ((facts, turn.facts), (commands, turn.commands)):
            for value in values:
                seq += 1
                kind, body = codec.encode(value)
                rows.append({"seq": seq, "turn": number, "at": turn.at, "kind": kind, "body": body.decode()})
    for table, rows in ((FACTS, facts), (COMMANDS, commands)):
        if rows:
            connection.execute(insert(table), rows)
    return seq, number


def _unreadable(what: str, place: str, error: BadMessage) -> JournalDamaged:
    return JournalDamaged(f"{what} in the journal {place} cannot be read ({error}); put a copy of it in its place")


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
