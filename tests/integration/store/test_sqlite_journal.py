import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from idleq.scheduler.errors import JournalDamaged, JournalUnavailable
from idleq.scheduler.store.database import sqlite_url
from idleq.scheduler.store.journal import Journal
from support.turns import facts_of, turn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "journal?#.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    path.parent.mkdir()
    opened = Journal.open(sqlite_url(path))
    yield opened
    opened.close()


def pragma(journal: Journal, setting: str) -> object:
    """Set or read it on the one connection that the journal keeps."""
    with journal._engine.connect() as connection:
        result = connection.exec_driver_sql(f"PRAGMA {setting}")
        return result.scalar() if result.returns_rows else None


def test_what_is_committed_is_on_the_disk_and_only_we_can_read_it(journal: Journal, path: Path) -> None:
    assert (pragma(journal, "journal_mode"), pragma(journal, "synchronous")) == ("wal", 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}-wal", f"{path.name}-shm"}


def test_on_a_full_disk_nothing_is_written_and_once_there_is_room_it_goes_on(journal: Journal) -> None:
    journal.append([turn(1)])
    pages = pragma(journal, "page_count")
    pragma(journal, f"max_page_count = {pages}")
    large = [turn(number, reason="x" * 1000) for number in range(2, 200)]
    with pytest.raises(
        JournalUnavailable, match=r"journal\?#.db does not answer .*: the disk is full: free some space"
    ):
        journal.append(large)
    assert list(journal.facts()) == facts_of(turn(1))
    pragma(journal, "max_page_count = 100000")
    journal.append(large)
    assert list(journal.facts()) == facts_of(turn(1), *large)


def test_while_another_process_keeps_it_locked_nothing_is_written(journal: Journal, path: Path) -> None:
    pragma(journal, "busy_timeout = 20")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailable, match="another process keeps it locked"):
        journal.append([turn(1)])
    assert list(journal.facts()) == []
    other.execute("ROLLBACK")
    other.close()
    journal.append([turn(1)])
    assert list(journal.facts()) == facts_of(turn(1))


def test_who_reads_half_way_keeps_nobody_from_writing(journal: Journal, path: Path) -> None:
    pragma(journal, "busy_timeout = 20")
    journal.append([turn(number) for number in range(6000)])
    other = Journal.open(sqlite_url(path))
    reader = other.facts()
    next(reader)
    journal.append([turn(6000)])
    assert sum(1 for _ in reader) == 6001 * 2 - 1
    other.close()


def test_a_journal_that_is_not_there_is_made_only_if_asked(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with pytest.raises(JournalUnavailable, match=r"there is no journal at .*: has a daemon ever run here\? Start one"):
        Journal.open(sqlite_url(path), create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match=r"gone/journal.db cannot be opened: No such file or directory"):
        Journal.open(sqlite_url(tmp_path / "gone" / "journal.db"))


def test_what_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"a shopping list, long enough to be taken for a header" * 100)
    with pytest.raises(JournalDamaged, match=r"is damaged .*move the file away"):
        Journal.open(sqlite_url(path))
    assert path.read_bytes().startswith(b"a shopping list")


def test_a_damaged_page_is_told_as_damage(journal: Journal, path: Path) -> None:
    journal.append([turn(number) for number in range(2000)])
    journal.close()
    data = bytearray(path.read_bytes())
    data[4096 : len(data)] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(JournalDamaged, match="is damaged"):
        list(journal.facts())


def test_a_copy_is_a_whole_journal_and_replaces_the_older_one(journal: Journal, tmp_path: Path) -> None:
    target = tmp_path / "copy of it.db"
    for number in (1, 2):
        journal.append([turn(number)])
        journal.copy_to(target)
    journal.append([turn(3)])
    copy = Journal.open(sqlite_url(target), create=False)
    assert list(copy.facts()) == facts_of(turn(1), turn(2))
    copy.append([turn(4)])
    assert list(copy.facts()) == facts_of(turn(1), turn(2), turn(4))
    copy.close()
    assert list(journal.facts()) == facts_of(turn(1), turn(2), turn(3))
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_a_copy_that_fails_leaves_the_older_one(journal: Journal, tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(JournalUnavailable, match=r"cannot be copied to .*folder: Is a directory"):
        journal.copy_to(target)
    with pytest.raises(JournalUnavailable, match="unable to open database"):
        journal.copy_to(tmp_path / "gone" / "copy.db")
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_a_url_that_is_none_is_refused_without_being_repeated() -> None:
    with pytest.raises(JournalUnavailable, match=r"see server.database in config.toml") as caught:
        Journal.open("secret")
    assert "secret" not in str(caught.value)
