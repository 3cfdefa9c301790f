"""A guest that is asked to leave while it gets its data loses nothing of what it had."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("ctapipe", reason="the train extra is not installed")

from idleq.workloads.checkpoint import CheckpointStore
from idleq.workloads.contract import Places
from idleq.workloads.guest import PROGRESS_FILE, Guest
from idleq.workloads.iact.dataset import DatasetSpec
from idleq.workloads.iact.fetching import dataset_for
from idleq.workloads.training.loop import MAKING_DATA, PHASE, TRAINING

SPEC = DatasetSpec(events=25)


def left_while_fetching(folder: Path) -> tuple[int, Mapping[str, bytes]]:
    """What is saved by a guest that was told to leave before its data was there."""
    places = Places(checkpoints=folder / "checkpoints", output=folder / "output", control=None)
    with Guest(places=places, kind="test", identity={}) as guest:
        checkpoint = guest.restore()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert dataset_for(guest, SPEC, places, str(folder / "data"), checkpoint) is None
    saved = CheckpointStore(places.checkpoints).load()
    assert saved is not None
    return saved.step, saved.parts


def test_a_guest_that_has_nothing_yet_saves_that(tmp_path: Path) -> None:
    assert left_while_fetching(tmp_path) == (0, {PHASE: MAKING_DATA, PROGRESS_FILE: b""})
    assert not (tmp_path / "data").exists()


def test_a_guest_that_goes_on_keeps_the_state_that_it_came_with(tmp_path: Path) -> None:
    places = Places(checkpoints=tmp_path / "checkpoints", output=tmp_path / "output", control=None)
    with Guest(places=places, kind="test", identity={}) as guest:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert not guest.may_go_on(40, lambda: {PHASE: TRAINING, "model": b"weights"})
    assert left_while_fetching(tmp_path) == (40, {PHASE: TRAINING, "model": b"weights", PROGRESS_FILE: b""})


def test_a_guest_that_may_stay_gets_its_data(tmp_path: Path) -> None:
    places = Places(checkpoints=tmp_path / "checkpoints", output=tmp_path / "output", control=None)
    with Guest(places=places, kind="test", identity={}) as guest:
        dataset = dataset_for(guest, SPEC, places, str(tmp_path / "data"), guest.restore())
    assert dataset is not None
    assert len(dataset.images) == 25
