"""A part of a snapshot is stored while criu still writes it, and is the same as if it had been stored afterwards."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from idleq.machines import Machine
from idleq.migration import copying, early, snapshot, stored
from idleq.migration.early import EarlyStore
from idleq.migration.errors import FreezeFailed, SnapshotNotWritten
from idleq.migration.manifest import FileEntry, Origin
from idleq.migration.packer import PLAIN, Packer
from idleq.migration.packing import Packing
from idleq.migration.sealing import Key, Keyring
from idleq.migration.snapshot import Published
from idleq.migration.tree import Item, list_folder
from testbed.waiting import wait_for

ORIGIN = Origin(created=17, machine=Machine(architecture="x86_64", kernel="6.1", cpu="abc"), job="17", fence=3)
KEYS = Keyring((Key(bytes(range(32))),))
PACKERS = {"plain": PLAIN, "compressed": Packer(compression="on"), "encrypted": Packer(keys=KEYS)}
PART = 1 << 20
PARTS = 12


@pytest.fixture(autouse=True)
def is_soon_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "WORTH_STORING", 4 * PART)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch" / "images"
    folder.mkdir(parents=True)
    return folder


def storing(images: Path, target: Path, packer: Packer = PLAIN) -> EarlyStore:
    return snapshot.early_store(images, "images", target, packer)


def published(images: Path, target: Path, store: EarlyStore, packer: Packer = PLAIN) -> Published:
    items = [Item(path="images", source=images, is_folder=True), *list_folder(images, "images")]
    return snapshot.publish(items, target, kind="criu", origin=ORIGIN, packer=packer, early=store.early)


def append(path: Path, parts: int = 1) -> None:
    with path.open("ab") as file:
        for _ in range(parts):
            file.write(os.urandom(PART))


def wait_until_stored(target: Path, name: str, parts: int) -> None:
    stored = copying.half_written(target) / "files" / "images" / name
    wait_for(f"{parts} parts of {name}", lambda: stored.exists() and stored.stat().st_size >= parts * PART, seconds=20)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("packer", PACKERS.values(), ids=list(PACKERS))
def test_what_is_appended_while_a_guest_is_frozen_is_restored_as_it_was_written(
    images: Path, tmp_path: Path, packer: Packer
) -> None:
    target = tmp_path / "snapshots" / "0003-0001"
    with storing(images, target, packer) as store:
        for number in (1, 2, 3):
            for _ in range(PARTS if number != 2 else 1):
                append(images / f"pages-{number}.img")
            if number == 1:
                wait_until_stored(target, "pages-1.img", 0)
        (images / "inventory.img").write_bytes(b"last")
    assert store.early is not None
    assert "images/pages-1.img" in store.early.entries
    done = published(images, target, store, packer)

    (back := tmp_path / "back").mkdir()
    snapshot.restore(target, done.digest, {"images": back}, packer.keys)
    assert contents(back) == contents(images)
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    modes = {path.stat().st_mode & 0o777 for path in target.rglob("*")}
    assert modes == {0o600, 0o700}


def test_it_is_stored_before_the_freeze_is_over(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "snapshots" / "1"
    with storing(images, target) as store:
        append(images / "pages-1.img", 5)
        wait_until_stored(target, "pages-1.img", 5)
        append(images / "pages-1.img", 2)
        wait_until_stored(target, "pages-1.img", 7)
    assert store.early is not None
    assert store.early.bytes == 7 * PART


def test_what_is_small_is_left_for_later(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "snapshots" / "1"
    with storing(images, target) as store:
        append(images / "pages-1.img", 2)
        append(images / "pages-2.img", 1)
    assert store.early is None
    assert not target.parent.exists()
    assert published(images, target, store).bytes == 3 * PART


def test_what_was_appended_afterwards_is_not_missed(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "snapshots" / "1"
    with storing(images, target) as store:
        append(images / "pages-1.img", 5)
        append(images / "pages-2.img", 5)  # criu goes on to another: the first one is whole, it seems
        wait_until_stored(target, "pages-2.img", 5)
    append(images / "pages-1.img")
    done = published(images, target, store)

    (back := tmp_path / "back").mkdir()
    snapshot.restore(target, done.digest, {"images": back})
    assert contents(back) == contents(images)


def test_what_was_appended_after_the_last_look_is_not_missed(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_pieces = stored.store_pieces

    def and_then(pieces: Iterator[bytes], reading: int, path: str, place: Path, packing: Packing) -> FileEntry:
        entry = store_pieces(pieces, reading, path, place, packing)
        append(images / "pages-1.img")
        return entry

    monkeypatch.setattr(stored, "store_pieces", and_then)
    target = tmp_path / "snapshots" / "1"
    with storing(images, target) as store:
        append(images / "pages-1.img", 5)
        wait_until_stored(target, "pages-1.img", 5)
    done = published(images, target, store)

    (back := tmp_path / "back").mkdir()
    snapshot.restore(target, done.digest, {"images": back})
    assert contents(back) == contents(images)


def test_a_snapshot_of_which_a_part_was_stored_early_says_nothing_of_how_fast_the_disk_is(
    images: Path, tmp_path: Path
) -> None:
    packer, target = Packer(compression="auto", write_rate=1e9), tmp_path / "snapshots" / "1"
    with storing(images, target, packer) as store:
        append(images / "pages-1.img", 12)
        wait_until_stored(target, "pages-1.img", 0)
    assert store.early is not None
    published(images, target, store, packer)
    assert packer.write_rate == 1e9


def test_of_a_freeze_that_is_tried_once_more_the_second_one_is_kept(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "snapshots" / "1"
    with storing(images, target) as store:
        append(images / "pages-1.img", 5)
        wait_until_stored(target, "pages-1.img", 5)
        (images / "pages-1.img").unlink()
        append(images / "pages-1.img", 5)
    done = published(images, target, store)

    (back := tmp_path / "back").mkdir()
    snapshot.restore(target, done.digest, {"images": back})
    assert contents(back) == contents(images)


def test_of_a_freeze_that_fails_nothing_is_left(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "snapshots" / "1"
    store = storing(images, target)

    def freeze() -> None:
        with store:
            append(images / "pages-1.img", 5)
            wait_until_stored(target, "pages-1.img", 4)
            raise FreezeFailed("criu: no")

    with pytest.raises(FreezeFailed):
        freeze()
    wait_for("all of it to be removed", lambda: not list(target.parent.iterdir()), seconds=20)
    assert (store.early, store.trouble) == (None, "")


def test_where_nothing_can_be_stored_the_freeze_goes_on_and_whoever_stores_the_rest_is_told(
    images: Path, tmp_path: Path
) -> None:
    (tmp_path / "snapshots").write_text("no folder")
    target = tmp_path / "snapshots" / "1"
    with storing(images, target) as store:
        append(images / "pages-1.img", 5)
        wait_for("it to be tried", lambda: store.trouble, seconds=20)
    assert store.early is None
    with pytest.raises(SnapshotNotWritten):
        published(images, target, store)


def test_what_a_killed_agent_has_stored_early_is_removed(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "snapshots" / "0002-0001"
    leftover = tmp_path / "snapshots" / ".tmp-0001-0001-17" / "files" / "images"
    leftover.mkdir(parents=True)
    (leftover / "pages-1.img").write_bytes(bytes(PART))
    with storing(images, target) as store:
        append(images / "pages-1.img", 5)
        wait_until_stored(target, "pages-1.img", 5)
    published(images, target, store)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_what_is_discarded_is_gone(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "snapshots" / "1"
    with storing(images, target) as store:
        append(images / "pages-1.img", 5)
        wait_until_stored(target, "pages-1.img", 5)
    assert store.early is not None
    store.early.discard()
    assert list(target.parent.iterdir()) == []
