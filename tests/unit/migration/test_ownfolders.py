"""What agents that were killed have left among a node's temporary folders."""

import tempfile
from pathlib import Path

import pytest

from idleq.migration.ownfolders import KEEPER, own_folder, remove_abandoned
from idleq.processes import keeper

PREFIX = "idleq-test-"


def gone() -> str:
    *who, pid, since = keeper().split()
    return " ".join((*who, pid, str(int(since) + 1)))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_of_one_that_is_gone_is_removed_with_all_in_it_and_of_one_that_lives_nothing(temporary: Path) -> None:
    living, abandoned = own_folder(PREFIX), own_folder(PREFIX)
    (abandoned / "7f.pid").touch()
    (abandoned / KEEPER).write_text(gone())

    remove_abandoned(PREFIX)

    assert list(temporary.iterdir()) == [living]
    assert living.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("what", ["no keeper", "no text", "a link", "a file", "another name"])
def test_what_may_be_anybodys_stays(temporary: Path, what: str) -> None:
    elsewhere = temporary / "elsewhere"
    folder = elsewhere if what == "a link" else temporary / ("other-1" if what == "another name" else f"{PREFIX}1")
    if what == "a file":
        folder.write_text(gone())
    else:
        folder.mkdir()
        if what != "no keeper":
            (folder / KEEPER).write_bytes(b"\xff" if what == "no text" else gone().encode())
    if what == "a link":
        (temporary / f"{PREFIX}1").symlink_to(elsewhere)
    before = set(temporary.rglob("*"))

    remove_abandoned(PREFIX)

    assert set(temporary.rglob("*")) == before
