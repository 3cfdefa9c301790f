"""Snapshots: whole or not there, and used only when every byte verifies."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from idleq.migration import snapshot
from idleq.migration.errors import FolderRefused, SnapshotDamaged, SnapshotNotWritten
from idleq.migration.manifest import Origin
from idleq.migration.snapshot import Published
from idleq.migration.tree import Item, list_folder

ORIGIN = Origin(created=17, kernel="6.1", machine="x86_64", cpu="abc")
HOSTILE = "a b\n'\"$(x)"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A workload's two folders with hostile names, an empty folder, an empty file and a program."""
    root = tmp_path / "source"
    (root / "checkpoint" / HOSTILE).mkdir(parents=True)
    (root / "checkpoint" / HOSTILE / "state").write_bytes(b"x" * 3_000_000)
    (root / "output" / "empty").mkdir(parents=True)
    (root / "output" / HOSTILE).write_bytes(b"result")
    (root / "output" / "nothing").touch()
    (root / "output" / "program").write_bytes(b"#!/bin/sh\n")
    (root / "output" / "program").chmod(0o750)
    (root / "output" / os.fsdecode(b"\xff\xfe")).write_bytes(b"bytes")
    return root


def taken(source: Path, target: Path) -> Published:
    items = [Item(path=name, source=source / name, is_folder=True) for name in ("checkpoint", "output")]
    items += list_folder(source / "checkpoint", "checkpoint") + list_folder(source / "output", "output")
    return snapshot.publish(items, target, kind="app", origin=ORIGIN)


def everything(root: Path) -> dict[str, tuple[int, bytes | None]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in sorted(root.rglob("*"))
    }


def empty_folders(root: Path) -> dict[str, Path]:
    folders = {"checkpoint": root / "checkpoint", "output": root / "output"}
    for folder in folders.values():
        folder.mkdir(parents=True)
    return folders


def test_what_is_restored_is_what_was_taken_with_names_modes_and_empty_folders(source: Path, tmp_path: Path) -> None:
    published = taken(source, tmp_path / "snapshots" / "0001-1")
    snapshot.restore(tmp_path / "snapshots" / "0001-1", published.digest, empty_folders(tmp_path / "back"))
    assert everything(tmp_path / "back") == everything(source)
    assert published.bytes == 3_000_000 + len(b"result#!/bin/sh\nbytes")
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["0001-1"]


def test_the_manifest_says_where_it_was_made(source: Path, tmp_path: Path) -> None:
    published = taken(source, tmp_path / "s" / "0001-1")
    manifest = snapshot.verify(tmp_path / "s" / "0001-1", published.digest)
    assert (manifest.kind, manifest.origin) == ("app", ORIGIN)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def replace_by_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


DAMAGES: list[Callable[[Path], None]] = [
    lambda root: flip(root / "files/checkpoint" / HOSTILE / "state"),
    lambda root: os.truncate(root / "files/checkpoint" / HOSTILE / "state", 2_999_999),
    lambda root: (root / "files/output" / HOSTILE).unlink(),
    lambda root: replace_by_link(root / "files/output" / HOSTILE),
    lambda root: flip(root / "manifest.json"),
    lambda root: (root / "manifest.json").unlink(),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=["flipped", "truncated", "missing", "link", "manifest", "no-manifest"])
def test_a_damaged_snapshot_is_refused_and_leaves_the_folders_empty(
    source: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    target = tmp_path / "snapshots" / "0001-1"
    published = taken(source, target)
    damage(target)
    folders = empty_folders(tmp_path / "back")
    with pytest.raises(SnapshotDamaged):
        snapshot.restore(target, published.digest, folders)
    with pytest.raises(SnapshotDamaged):
        snapshot.verify(target, published.digest)
    assert list(folders["output"].iterdir()) == []
    assert list(folders["checkpoint"].iterdir()) == []


@pytest.mark.parametrize("make", [lambda p: p.symlink_to("/etc/passwd"), os.mkfifo], ids=["link", "pipe"])
def test_links_and_pipes_are_refused_by_name(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "output" / "deep").mkdir(parents=True)
    make(tmp_path / "output" / "deep" / "odd")
    with pytest.raises(FolderRefused, match="deep/odd"):
        list_folder(tmp_path / "output")
    with pytest.raises(FolderRefused):
        snapshot.publish_output(tmp_path / "output", tmp_path / "published", tmp_path / "manifest.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["output"]


def test_a_full_disk_leaves_nothing_and_says_what_to_do(source: Path, tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    script = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_snapshot import taken
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    taken(Path({str(source)!r}), Path({str(tmp_path / "snapshots" / "0001-1")!r}))
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("SnapshotNotWritten ")
    assert "free some space" in done.stdout
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_what_a_killed_process_left_half_written_is_removed_by_the_next_snapshot(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "snapshots"
    (root / ".tmp-0001-1-99" / "files").mkdir(parents=True)
    taken(source, root / "0002-1")
    assert [path.name for path in root.iterdir()] == ["0002-1"]


def test_a_snapshot_is_never_overwritten(source: Path, tmp_path: Path) -> None:
    published = taken(source, tmp_path / "s" / "0001-1")
    with pytest.raises(SnapshotNotWritten, match="there already"):
        taken(source, tmp_path / "s" / "0001-1")
    snapshot.verify(tmp_path / "s" / "0001-1", published.digest)


def test_the_last_two_snapshots_are_kept(tmp_path: Path) -> None:
    for name in ("0001-001", "0001-002", "0003-001", "0012-001"):
        (tmp_path / name / "files").mkdir(parents=True)
    snapshot.prune(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0003-001", "0012-001"]


def test_the_newest_snapshot_is_the_one_with_the_highest_numbers_however_long_they_are(tmp_path: Path) -> None:
    for name in ["0001-9998", "0001-9999", "0001-10000", "0001-10001", "9999-0001", "10000-0001"]:
        (tmp_path / name).mkdir()
    snapshot.prune(tmp_path, keep=3)
    assert {path.name for path in tmp_path.iterdir()} == {"0001-10001", "9999-0001", "10000-0001"}


def test_equal_outputs_have_equal_digests_wherever_they_lie(source: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = snapshot.publish_output(source / "output", tmp_path / "a/output", tmp_path / "a/manifest.json")
    second = snapshot.publish_output(source / "output", tmp_path / "b/output", tmp_path / "b/manifest.json")
    assert first == second
    assert everything(tmp_path / "a/output") == everything(source / "output")
    (source / "output" / "nothing").write_bytes(b"!")
    (tmp_path / "c").mkdir()
    third = snapshot.publish_output(source / "output", tmp_path / "c/output", tmp_path / "c/manifest.json")
    assert third.digest != first.digest


def test_only_the_asked_length_of_a_growing_file_is_taken(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntwo\n")
    items = [Item(path="log", source=tmp_path / "log", is_folder=False, length=4)]
    snapshot.publish(items, tmp_path / "s" / "0001-1", kind="app", origin=ORIGIN)
    assert (tmp_path / "s/0001-1/files/log").read_bytes() == b"one\n"
