"""Snapshots: whole or not there, and used only when every byte verifies."""

import filecmp
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from idleq.machines import Machine
from idleq.migration import snapshot
from idleq.migration.errors import FolderRefused, SnapshotDamaged, SnapshotLocked, SnapshotNotWritten, SnapshotUnfit
from idleq.migration.manifest import FileEntry, Manifest, Origin, digest_of, encode
from idleq.migration.packer import PLAIN, Packer
from idleq.migration.sealing import Key, Keyring
from idleq.migration.snapshot import Published
from idleq.migration.tree import Item, list_folder

ORIGIN = Origin(created=17, machine=Machine(architecture="x86_64", kernel="6.1", cpu="abc"), job="17", fence=3)
KEYS = Keyring((Key(bytes(range(32))),))
OTHER_KEYS = Keyring((Key(bytes(32)),))
PACKERS = {
    "plain": PLAIN,
    "compressed": Packer(compression="on"),
    "encrypted": Packer(keys=KEYS),
    "both": Packer(compression="on", keys=KEYS),
}
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


@pytest.fixture(params=PACKERS)
def packer(request: pytest.FixtureRequest) -> Packer:
    return PACKERS[request.param]


def taken(source: Path, target: Path, packer: Packer = PLAIN) -> Published:
    items = [Item(path=name, source=source / name, is_folder=True) for name in ("checkpoint", "output")]
    items += list_folder(source / "checkpoint", "checkpoint") + list_folder(source / "output", "output")
    return snapshot.publish(items, target, kind="app", origin=ORIGIN, packer=packer)


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


def test_what_is_restored_is_what_was_taken_with_names_modes_and_empty_folders(
    source: Path, tmp_path: Path, packer: Packer
) -> None:
    target = tmp_path / "snapshots" / "0001-1"
    published = taken(source, target, packer)
    manifest = snapshot.restore(target, published.digest, empty_folders(tmp_path / "back"), packer.keys)
    assert everything(tmp_path / "back") == everything(source)
    assert manifest.bytes == 3_000_000 + len(b"result#!/bin/sh\nbytes")
    assert published.bytes == sum(path.stat().st_size for path in (target / "files").rglob("*") if path.is_file())
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["0001-1"]


def test_a_plain_snapshot_takes_what_its_files_hold_a_compressed_one_less(source: Path, tmp_path: Path) -> None:
    plain, small = taken(source, tmp_path / "s" / "1"), taken(source, tmp_path / "s" / "2", PACKERS["compressed"])
    assert plain.bytes == 3_000_000 + len(b"result#!/bin/sh\nbytes")
    assert small.bytes < plain.bytes / 100


def test_nobody_else_can_read_anything_of_a_snapshot(source: Path, tmp_path: Path, packer: Packer) -> None:
    taken(source, tmp_path / "s" / "0001-1", packer)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "s" / "0001-1").rglob("*") if path.is_file()}
    folders = {path.stat().st_mode & 0o777 for path in (tmp_path / "s" / "0001-1").rglob("*") if path.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})


def test_what_is_encrypted_shows_nothing_of_what_it_holds(source: Path, tmp_path: Path) -> None:
    (source / "output" / "nothing").write_bytes(b"my secret number is 17")
    taken(source, tmp_path / "s" / "0001-1", PACKERS["encrypted"])
    assert not any(b"secret" in path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file())


@pytest.mark.parametrize("keys", [OTHER_KEYS, Keyring()], ids=["another", "none"])
def test_without_its_key_nothing_is_restored_but_it_can_still_be_verified(
    source: Path, tmp_path: Path, keys: Keyring
) -> None:
    target = tmp_path / "s" / "0001-1"
    published = taken(source, target, PACKERS["both"])
    folders = empty_folders(tmp_path / "back")
    with pytest.raises(SnapshotLocked, match=KEYS.keys[0].id):
        snapshot.restore(target, published.digest, folders, keys)
    assert [list(folder.iterdir()) for folder in folders.values()] == [[], []]
    assert snapshot.verify(target, published.digest).origin == ORIGIN


def test_after_a_change_of_keys_what_the_old_one_encrypted_is_still_had_back(source: Path, tmp_path: Path) -> None:
    published = taken(source, tmp_path / "s" / "0001-1", PACKERS["both"])
    changed = Keyring((*OTHER_KEYS.keys, *KEYS.keys))
    snapshot.restore(tmp_path / "s" / "0001-1", published.digest, empty_folders(tmp_path / "back"), changed)
    assert everything(tmp_path / "back") == everything(source)
    newer = taken(source, tmp_path / "s" / "0002-1", Packer(keys=changed))
    assert snapshot.verify(tmp_path / "s" / "0002-1", newer.digest).key == OTHER_KEYS.keys[0].id


def test_a_snapshot_of_the_first_format_is_restored(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "s" / "0001-1"
    shutil.copytree(source, target / "files")
    files = [path for path in source.rglob("*") if path.is_file()]
    body = {
        "format": 1,
        "kind": "app",
        "files": [
            {
                "path": str(path.relative_to(source)),
                "size": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "mode": path.stat().st_mode & 0o777,
            }
            for path in files
        ],
        "folders": [str(path.relative_to(source)) for path in sorted(source.rglob("*")) if path.is_dir()],
        "origin": {"created": 17, "kernel": "6.1", "machine": "x86_64", "cpu": "abc"},
    }
    text = json.dumps(body).encode()
    (target / "manifest.json").write_bytes(text)
    manifest = snapshot.restore(target, digest_of(text), empty_folders(tmp_path / "back"))
    assert everything(tmp_path / "back") == everything(source)
    assert manifest.origin == Origin(created=17, machine=Machine(architecture="x86_64", kernel="6.1", cpu="abc"))


def test_the_holes_of_a_sparse_file_take_no_space_and_come_back_as_holes(tmp_path: Path, packer: Packer) -> None:
    source, target = tmp_path / "memory", tmp_path / "s" / "0001-1"
    with source.open("wb") as file:
        for place in (10 << 20, 50 << 20):
            file.seek(place)
            file.write(os.urandom(100_000))
        file.truncate(90 << 20)
    item = Item(path="output/memory", source=source, is_folder=False)
    top = Item(path="output", source=tmp_path, is_folder=True)
    published = snapshot.publish([top, item], target, kind="app", origin=ORIGIN, packer=packer)
    folders = empty_folders(tmp_path / "back")
    snapshot.restore(target, published.digest, folders, packer.keys)
    back = folders["output"] / "memory"
    assert filecmp.cmp(source, back, shallow=False)
    assert published.bytes < 1 << 20
    assert back.stat().st_blocks * 512 < 1 << 20


BOUNDED = """
import os, resource, sys, tracemalloc
from pathlib import Path
from idleq.migration import snapshot
from idleq.migration.packer import Packer
from idleq.migration.sealing import Key, Keyring
from idleq.migration.tree import Item
sys.path.insert(0, sys.argv[1])
from test_snapshot import ORIGIN, empty_folders
root = Path(sys.argv[2])
packer = Packer(compression="on", keys=Keyring((Key(bytes(32)),)))
items = [Item(path="output", source=root, is_folder=True),
         Item(path="output/big", source=root / "big", is_folder=False)]
snapshot.publish(items[:1], root / "s" / "0", kind="app", origin=ORIGIN, packer=packer)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
published = snapshot.publish(items, root / "s" / "1", kind="app", origin=ORIGIN, packer=packer)
snapshot.restore(root / "s" / "1", published.digest, empty_folders(root / "back"), packer.keys)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_a_large_file_is_packed_and_unpacked_in_memory_that_does_not_grow_with_it(tmp_path: Path) -> None:
    block = os.urandom(1 << 19) + bytes(1 << 19)
    with (tmp_path / "big").open("wb") as file:
        for _ in range(400):
            file.write(block)
        file.truncate(1 << 40)  # a terabyte, nearly all of it a hole
    run = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(Path(__file__).parent), str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=110,
    )  # fmt: skip
    assert int(run.stdout) < 150 * 1024


def test_half_of_what_little_was_made_into_much_is_not_written(tmp_path: Path) -> None:
    """A frame that unpacks to more than its file has is refused before it fills the disk."""
    target = tmp_path / "s" / "0001-1"
    (target / "files" / "output").mkdir(parents=True)
    bomb = zstandard.ZstdCompressor().compress(bytes(64 << 20))
    (target / "files" / "output" / "x").write_bytes(bomb)
    entry = FileEntry(path="output/x", size=10, digest=hashlib.sha256(bomb).hexdigest(), mode=0o600, stored=len(bomb))
    text = encode(Manifest(kind="app", files=(entry,), folders=("output",), origin=ORIGIN, compression="zstd"))
    (target / "manifest.json").write_bytes(text)
    folders = empty_folders(tmp_path / "back")
    with pytest.raises(SnapshotDamaged, match="more than its 10 bytes"):
        snapshot.restore(target, digest_of(text), folders)
    assert list(folders["output"].iterdir()) == []


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
    lambda root: os.truncate(
        root / "files/checkpoint" / HOSTILE / "state",
        (root / "files/checkpoint" / HOSTILE / "state").stat().st_size - 1,
    ),
    lambda root: (root / "files/output" / HOSTILE).unlink(),
    lambda root: replace_by_link(root / "files/output" / HOSTILE),
    lambda root: flip(root / "manifest.json"),
    lambda root: (root / "manifest.json").unlink(),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=["flipped", "truncated", "missing", "link", "manifest", "no-manifest"])
def test_a_damaged_snapshot_is_refused_and_leaves_the_folders_empty(
    source: Path, tmp_path: Path, damage: Callable[[Path], None], packer: Packer
) -> None:
    target = tmp_path / "snapshots" / "0001-1"
    published = taken(source, target, packer)
    damage(target)
    folders = empty_folders(tmp_path / "back")
    with pytest.raises(SnapshotDamaged):
        snapshot.restore(target, published.digest, folders, packer.keys)
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
        snapshot.publish_output(
            lambda: list_folder(tmp_path / "output"), tmp_path / "published", tmp_path / "manifest.json"
        )
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


def test_what_another_process_has_half_written_stays_where_several_write_beside_each_other(tmp_path: Path) -> None:
    root = tmp_path / "inputs"
    (root / ".tmp-a-99" / "files").mkdir(parents=True)
    snapshot.publish([], root / "b", kind="input", origin=ORIGIN, has_company=True)
    assert sorted(path.name for path in root.iterdir()) == [".tmp-a-99", "b"]


def test_without_blake3_digests_are_sha256_and_what_was_written_with_it_is_refused_with_the_reason(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = tmp_path / "s" / "0001-1", tmp_path / "s" / "0002-1"
    with_it = taken(source, there)
    monkeypatch.setitem(sys.modules, "blake3", None)
    without = taken(source, here)

    assert [json.loads((one / "manifest.json").read_text())["format"] for one in (there, here)] == [3, 2]
    snapshot.verify(here, without.digest)
    with pytest.raises(
        SnapshotUnfit, match="snapshot 0001-1 has BLAKE3 digests, and Python here lacks the package blake3"
    ):
        snapshot.verify(there, with_it.digest)


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

    def output() -> list[Item]:
        return list_folder(source / "output")

    first = snapshot.publish_output(output, tmp_path / "a/output", tmp_path / "a/manifest.json")
    second = snapshot.publish_output(output, tmp_path / "b/output", tmp_path / "b/manifest.json")
    assert first == second
    assert everything(tmp_path / "a/output") == everything(source / "output")
    (source / "output" / "nothing").write_bytes(b"!")
    (tmp_path / "c").mkdir()
    third = snapshot.publish_output(output, tmp_path / "c/output", tmp_path / "c/manifest.json")
    assert third.digest != first.digest


def test_only_the_asked_length_of_a_growing_file_is_taken(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntwo\n")
    items = [Item(path="log", source=tmp_path / "log", is_folder=False, length=4)]
    snapshot.publish(items, tmp_path / "s" / "0001-1", kind="app", origin=ORIGIN)
    assert (tmp_path / "s/0001-1/files/log").read_bytes() == b"one\n"
