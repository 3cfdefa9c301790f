"""How each snapshot is packed."""

import os
from pathlib import Path

import pytest

from idleq.migration.checksum import quickest
from idleq.migration.packer import TELLING, Packer
from idleq.migration.packing import Packing, usable_threads
from idleq.migration.sealing import Key, Keyring
from idleq.migration.tree import Item
from idleq.migration.trying import WORTH_PROBING

MIB = 1 << 20


def items(tmp_path: Path, content: bytes) -> list[Item]:
    (tmp_path / "state").write_bytes(content)
    return [
        Item(path="output", source=tmp_path, is_folder=True),
        Item(path="output/state", source=tmp_path / "state", is_folder=False),
    ]


def sparse(tmp_path: Path, size: int) -> list[Item]:
    found = items(tmp_path, b"")
    os.truncate(tmp_path / "state", size)
    return found


@pytest.mark.parametrize(("write_rate", "levels"), [(1e3, {1, 3}), (1e15, {0})])
def test_a_snapshot_is_compressed_where_the_file_system_is_slow_and_not_where_it_is_quick(
    tmp_path: Path, write_rate: float, levels: set[int]
) -> None:
    packer = Packer(compression="auto", write_rate=write_rate)
    packing = packer.packing_for(items(tmp_path, b"alike " * MIB), tmp_path)
    assert packing.level in levels


def test_what_cannot_become_smaller_is_not_compressed_however_slow_the_file_system_is(tmp_path: Path) -> None:
    packer = Packer(compression="auto", write_rate=1e3)
    assert packer.packing_for(items(tmp_path, os.urandom(5 * MIB)), tmp_path).level == 0


def test_nothing_is_tried_for_a_small_snapshot(tmp_path: Path) -> None:
    packer = Packer(compression="auto")
    assert packer.packing_for(items(tmp_path, b"x" * MIB), tmp_path / "nowhere") == Packing(
        threads=usable_threads(), checksum=quickest()
    )
    assert packer.write_rate is None


@pytest.mark.parametrize("size", [1, 5 * MIB])
def test_compression_can_be_asked_for_and_forbidden(tmp_path: Path, size: int) -> None:
    found = items(tmp_path, os.urandom(size))
    assert Packer(compression="on").packing_for(found, tmp_path).level > 0
    assert Packer(compression="off", write_rate=1e3).packing_for(found, tmp_path).level == 0


def test_for_a_large_snapshot_how_fast_the_file_system_is_is_tried_and_leaves_nothing(tmp_path: Path) -> None:
    packer = Packer(compression="auto")
    packer.packing_for(sparse(tmp_path, WORTH_PROBING), tmp_path)
    assert packer.write_rate is not None
    assert packer.write_rate > 0
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_snapshot_too_small_for_that_is_written_as_it_is_until_one_has_told(tmp_path: Path) -> None:
    packer = Packer(compression="auto")
    found = items(tmp_path, b"alike " * (2 * MIB))
    assert packer.packing_for(found, tmp_path / "nowhere").level == 0
    packer.learn(Packing(), 12 * MIB, 1200.0)
    assert packer.packing_for(found, tmp_path / "nowhere").level > 0


def test_what_large_snapshots_took_is_learned() -> None:
    packer = Packer(compression="auto")
    packer.learn(Packing(), TELLING, 0.5)
    assert packer == Packer(compression="auto", write_rate=2 * TELLING)
    packer.learn(Packing(), TELLING - 1, 100.0)
    assert packer == Packer(compression="auto", write_rate=2 * TELLING)


def test_a_compressed_snapshot_tells_only_how_fast_the_file_system_is_at_least() -> None:
    packer = Packer(compression="auto", write_rate=2.0 * TELLING)
    packer.learn(Packing(level=1), TELLING, 1.0)
    assert packer == Packer(compression="auto", write_rate=2.0 * TELLING, least_rate=TELLING)
    packer.learn(Packing(level=1), TELLING, 0.25)
    assert packer == Packer(compression="auto", write_rate=4.0 * TELLING, least_rate=4.0 * TELLING)
    packer.learn(Packing(), TELLING, 1.0)
    assert packer == Packer(compression="auto", write_rate=TELLING)


def test_after_a_compressed_snapshot_a_large_one_finds_out_anew_whether_that_pays(tmp_path: Path) -> None:
    packer = Packer(compression="auto", write_rate=1.0, least_rate=1.0)
    packer.packing_for(sparse(tmp_path, WORTH_PROBING - 1), tmp_path / "nowhere")
    assert packer.write_rate == 1.0
    packer.packing_for(sparse(tmp_path, WORTH_PROBING), tmp_path)
    assert packer.write_rate is not None
    assert packer.write_rate > 1.0


def test_the_file_system_is_never_taken_for_slower_than_a_compressed_snapshot_has_shown_it_to_be(
    tmp_path: Path,
) -> None:
    packer = Packer(compression="auto", least_rate=1e15)
    assert packer.packing_for(sparse(tmp_path, WORTH_PROBING), tmp_path).level == 0


def test_the_newest_key_encrypts(tmp_path: Path) -> None:
    keys = Keyring((Key(bytes(32)), Key(bytes(range(32)))))
    assert Packer(keys=keys).packing_for(items(tmp_path, b""), tmp_path).key == keys.keys[0]
