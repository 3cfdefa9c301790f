"""A training goes on exactly from its saved state, and from nothing less than all of it."""

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")

import torch
from safetensors.torch import save

from idleq.workloads.cgan.batches import BatchOrder
from idleq.workloads.cgan.config import TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.state import PARTS, TrainingState
from idleq.workloads.cgan.step import train_step
from idleq.workloads.checkpoint import Checkpoint
from idleq.workloads.errors import CheckpointRefused

# 20 batches of 10 in an epoch: frozen in the middle of the second, ended in the third, so that the epoch turns once more.
CONFIG = TrainConfig(steps=45, events=200, batch=10, latent=8, width=2, seed=7, report_every=4)
FROZEN_AT = 30


def go_on(state: TrainingState, data: TrainingData, until: int) -> None:
    while state.step < until:
        maps, classes = data.batch(state.order.next())
        state.history.add(train_step(state, CONFIG, maps, classes))
        if state.step % CONFIG.report_every == 0:
            state.history.report(state.step)


def result(state: TrainingState) -> tuple[bytes, object]:
    """What a person gets: the weights byte for byte, and the metrics."""
    return save(state.average.state_dict()), state.history.reports


def saved(state: TrainingState) -> Checkpoint:
    return Checkpoint(kind="train-cgan", step=state.step, identity=CONFIG.identity(), parts=state.parts())


@pytest.fixture(scope="module")
def whole(training_data: TrainingData) -> Checkpoint:
    """The state in mid-epoch."""
    state = TrainingState.begin(CONFIG, training_data)
    go_on(state, training_data, FROZEN_AT)
    return saved(state)


@pytest.fixture(scope="module")
def uninterrupted(training_data: TrainingData) -> tuple[bytes, object]:
    state = TrainingState.begin(CONFIG, training_data)
    go_on(state, training_data, CONFIG.steps)
    return result(state)


def continued(checkpoint: Checkpoint, data: TrainingData) -> tuple[bytes, object]:
    state = TrainingState.begin(CONFIG, data)
    torch.manual_seed(99)  # whatever the new process has drawn meanwhile must not matter
    state.restore(checkpoint)
    go_on(state, data, CONFIG.steps)
    return result(state)


def test_the_whole_state_gives_the_uninterrupted_result(
    whole: Checkpoint, uninterrupted: tuple[bytes, object], training_data: TrainingData
) -> None:
    assert continued(whole, training_data) == uninterrupted


@pytest.mark.parametrize("part", PARTS)
def test_a_state_without_any_single_part_is_refused(whole: Checkpoint, training_data: TrainingData, part: str) -> None:
    less = replace(whole, parts={name: content for name, content in whole.parts.items() if name != part})
    with pytest.raises(CheckpointRefused, match=part):
        continued(less, training_data)


@pytest.mark.parametrize("part", PARTS)
def test_any_single_part_put_back_to_its_beginning_changes_the_result(
    whole: Checkpoint, uninterrupted: tuple[bytes, object], training_data: TrainingData, part: str
) -> None:
    first = _beginning(training_data)
    assert continued(replace(whole, parts={**whole.parts, part: first[part]}), training_data) != uninterrupted


def _beginning(data: TrainingData) -> dict[str, bytes]:
    return TrainingState.begin(CONFIG, data).parts()


def test_a_forgotten_step_changes_the_result(
    whole: Checkpoint, uninterrupted: tuple[bytes, object], training_data: TrainingData
) -> None:
    assert continued(replace(whole, step=0), training_data) != uninterrupted


def test_every_part_of_the_state_is_listed(training_data: TrainingData) -> None:
    assert set(_beginning(training_data)) == set(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_another_shape_is_refused(whole: Checkpoint, training_data: TrainingData, part: str) -> None:
    other = PARTS[(PARTS.index(part) + 4) % len(PARTS)]
    swapped = replace(whole, parts={**whole.parts, part: whole.parts[other]})
    with pytest.raises(CheckpointRefused):
        continued(swapped, training_data)


def test_another_data_set_is_refused(whole: Checkpoint, training_data: TrainingData) -> None:
    with pytest.raises(CheckpointRefused, match="not the one that this training began with"):
        continued(whole, replace(training_data, digest="another"))


def test_every_event_is_seen_once_in_an_epoch() -> None:
    import numpy as np

    order = BatchOrder.begin(events=23, batch=5, random=np.random.default_rng(0))
    first = np.concatenate([order.next() for _ in range(4)])
    assert len(set(first.tolist())) == 20
    assert order.epoch == 0
    order.next()
    assert (order.epoch, order.cursor) == (1, 5)
