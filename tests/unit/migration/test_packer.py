"""How each snapshot is packed."""

import os
from pathlib import Path

import pytest

from idleq.migration.checksum import quickest
from idleq.migration.packer import PROBE, Packer
from idleq.migration.packing import Packing, usable_threads
from idleq.migration.sealing import Key, Keyring
from idleq.migration.tree import Item

MIB = 1 << 20


def items(tmp_path: Path, content: bytes) -> list[Item]:
    (tmp_path / "state").write_bytes(content)
    return [
        Item(path="output", source=tmp_path, is_folder=True),
        Item(path="output/state", source=tmp_path / "state", is_folder=False),
    ]


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


def test_how_fast_the_file_system_is_is_tried_once_and_leaves_nothing(tmp_path: Path) -> None:
    packer = Packer(compression="auto")
    packer.packing_for(items(tmp_path, b"alike " * MIB), tmp_path)
    assert packer.write_rate is not None
    assert packer.write_rate > 0
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_what_large_snapshots_took_is_learned_unless_compressing_was_part_of_it() -> None:
    packer = Packer(compression="auto")
    packer.learn(Packing(), PROBE, 0.5)
    assert packer.write_rate == 2 * PROBE
    packer.learn(Packing(), PROBE - 1, 100.0)
    assert packer.write_rate == 2 * PROBE
    packer.learn(Packing(level=1), PROBE, 1.0)
    assert packer.write_rate is None


def test_the_newest_key_encrypts(tmp_path: Path) -> None:
    keys = Keyring((Key(bytes(32)), Key(bytes(range(32)))))
    assert Packer(keys=keys).packing_for(items(tmp_path, b""), tmp_path).key == keys.keys[0]
