"""Checkpoints are whole or not there, and a damaged one falls back to the one before."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from idleq.workloads import durable
from idleq.workloads.checkpoint import MANIFEST, Checkpoint, CheckpointStore
from idleq.workloads.errors import CannotSave


def a_checkpoint(step: int) -> Checkpoint:
    return Checkpoint(
        kind="test", step=step, identity={"seed": 1}, parts={"weights": bytes([step]) * 1000, "random": b"r"}
    )


class Listener:
    """Remembers what a person was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def told() -> Listener:
    return Listener()


@pytest.fixture
def store(tmp_path: Path, told: Listener) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints", told)


def names(store: CheckpointStore) -> list[str]:
    return sorted(path.name for path in store.root.iterdir())


def test_nothing_saved_means_start_from_the_beginning(store: CheckpointStore, told: Listener) -> None:
    assert store.load() is None
    assert told.lines == []


def test_the_newest_generation_comes_back_whole(store: CheckpointStore) -> None:
    store.save(a_checkpoint(1))
    store.save(a_checkpoint(2))
    assert store.load() == a_checkpoint(2)


def test_the_bytes_reported_are_those_on_disk(store: CheckpointStore) -> None:
    written = store.save(a_checkpoint(1))
    assert written == sum(path.stat().st_size for path in (store.root / "generation-00000001").iterdir())


def test_two_generations_are_kept(store: CheckpointStore) -> None:
    for step in range(1, 5):
        store.save(a_checkpoint(step))
    assert names(store) == ["generation-00000003", "generation-00000004"]


def flip_a_bit(generation: Path) -> None:
    path = generation / "weights"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)


def cut_a_part(generation: Path) -> None:
    path = generation / "weights"
    path.write_bytes(path.read_bytes()[:-1])


def lose_a_part(generation: Path) -> None:
    (generation / "random").unlink()


def lose_the_manifest(generation: Path) -> None:
    (generation / MANIFEST).unlink()


def cut_the_manifest(generation: Path) -> None:
    path = generation / MANIFEST
    path.write_bytes(path.read_bytes()[:40])


def change_the_step(generation: Path) -> None:
    path = generation / MANIFEST
    path.write_text(path.read_text().replace('"step":2', '"step":3'))


def raise_the_format(generation: Path) -> None:
    (generation / MANIFEST).write_text('{"format":99,"sha256":"x"}')


DAMAGES = (flip_a_bit, cut_a_part, lose_a_part, lose_the_manifest, cut_the_manifest, change_the_step, raise_the_format)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_generation_falls_back_and_says_so(store: CheckpointStore, told: Listener, damage: object) -> None:
    store.save(a_checkpoint(1))
    store.save(a_checkpoint(2))
    damage(store.root / "generation-00000002")  # type: ignore[operator] # parametrised with functions
    assert store.load() == a_checkpoint(1)
    assert [line.partition(" (")[0] for line in told.lines] == ["checkpoint generation-00000002 is damaged"]
    assert told.lines[0].endswith("falling back to the one before")


def test_no_good_generation_at_all_starts_over_and_says_so(store: CheckpointStore, told: Listener) -> None:
    store.save(a_checkpoint(1))
    flip_a_bit(store.root / "generation-00000001")
    assert store.load() is None
    assert told.lines[-1] == "no checkpoint verifies: starting from the beginning"


def test_the_good_generation_outlives_the_damaged_one(store: CheckpointStore) -> None:
    for step in (1, 2):
        store.save(a_checkpoint(step))
    flip_a_bit(store.root / "generation-00000002")
    assert store.load() == a_checkpoint(1)
    store.save(a_checkpoint(3))
    assert names(store) == ["generation-00000001", "generation-00000003"]


def test_leftovers_of_a_killed_save_are_ignored_and_removed(store: CheckpointStore) -> None:
    store.save(a_checkpoint(1))
    (store.root / ".tmp-generation-00000002-77").mkdir()
    (store.root / ".tmp-generation-00000002-77" / "weights").write_bytes(b"half")
    assert store.load() == a_checkpoint(1)
    store.save(a_checkpoint(2))
    assert names(store) == ["generation-00000001", "generation-00000002"]


def test_a_full_disk_leaves_the_older_generations_and_nothing_half_written(tmp_path: Path) -> None:
    """A file-size limit makes the kernel refuse the write as it does when the disk is full."""
    program = (
        "import resource, signal, sys; from pathlib import Path; from idleq.workloads.checkpoint import *;"
        "from idleq.workloads.errors import CannotSave\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); store = CheckpointStore(Path(sys.argv[1]))\n"
        "make = lambda step, size: Checkpoint(kind='test', step=step, identity={}, parts={'weights': bytes(size)})\n"
        "store.save(make(1, 10)); store.save(make(2, 10)); resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "try: store.save(make(3, 100_000))\n"
        "except CannotSave as error: print(error); sys.exit(error.exit_code)\n"
    )
    argv = [sys.executable, "-c", program, str(tmp_path)]
    finished = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == CannotSave.exit_code
    assert "free some space" in finished.stdout
    store = CheckpointStore(tmp_path)
    assert names(store) == ["generation-00000001", "generation-00000002"]
    loaded = store.load()
    assert loaded is not None
    assert loaded.step == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CannotSave, match="permissions"):
        CheckpointStore(tmp_path / "checkpoints").save(a_checkpoint(1))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_is_explained(number: int, tmp_path: Path) -> None:
    with pytest.raises(CannotSave, match="free some space"), durable.explained("a checkpoint", tmp_path):
        raise OSError(number, os.strerror(number))


def test_replacing_a_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    durable.replace_file(tmp_path / "result", b"old")
    durable.replace_file(tmp_path / "result", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("result", b"new")]
