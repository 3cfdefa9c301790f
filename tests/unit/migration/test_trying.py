"""What is tried before a large snapshot is packed."""

import os
from pathlib import Path

import pytest

from idleq.migration.packing import LARGE, Packing
from idleq.migration.sealing import Key
from idleq.migration.trying import LEVELS, STEPS, WORTH_PROBING, tried_levels, tried_writes

MIB = 1 << 20
LARGE_ENOUGH = 1 << 30


@pytest.mark.parametrize(("total", "steps"), [(WORTH_PROBING, 3), (2 * WORTH_PROBING, 3), (LARGE_ENOUGH // 2, 4)])
def test_no_more_is_tried_than_a_small_part_of_the_snapshot(tmp_path: Path, total: int, steps: int) -> None:
    writes = tried_writes(tmp_path, Packing(), total)
    assert tuple(write.bytes for write in writes) == STEPS[: len(writes)]
    assert 3 <= len(writes) <= steps
    assert all(write.seconds > 0 for write in writes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", [None, Key(bytes(32))])
@pytest.mark.parametrize("size", [MIB + 1, LARGE, 40 * MIB])
def test_of_each_level_it_is_told_how_fast_it_is_and_what_it_leaves(tmp_path: Path, size: int, key: Key | None) -> None:
    (tmp_path / "state").write_bytes(b"".join(os.urandom(MIB // 2) + bytes(MIB // 2) for _ in range(size // MIB + 1)))
    trials = tried_levels(tmp_path / "state", size, Packing(key=key, threads=2))
    assert tuple(trials) == LEVELS
    assert all(trial.rate > 0 for trial in trials.values())
    assert all(0.3 < trial.share < 0.7 for trial in trials.values())
