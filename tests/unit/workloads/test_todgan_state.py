"""A training on TODs goes on exactly from its saved state, and from nothing less than all of it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")
pytest.importorskip("h5py", reason="the train extra is not installed")

import torch
from safetensors.torch import save

from idleq.workloads.checkpoint import Checkpoint
from idleq.workloads.errors import CheckpointRefused
from idleq.workloads.todgan.config import TodTrainConfig, Variant
from idleq.workloads.todgan.data import TrainingTods
from idleq.workloads.todgan.looking import look_at
from idleq.workloads.todgan.state import TodState, begin
from idleq.workloads.todgan.step import train_step
from idleq.workloads.tods.simulation import Tods, simulate_block
from idleq.workloads.training.device import use_one_thread_pool

COUNT, BATCH = 18, 4
STEPS, FROZEN_AT = 9, 6  # 4 batches in an epoch: frozen in the middle of the second, ended in the third
LOOK_EVERY = 5  # so that a look lies before the freeze and one behind it

PARTS = {
    Variant.SLIDES: 10,
    Variant.CONDITIONAL: 10,
    Variant.VAE: 8,
}


def config_of(variant: Variant) -> TodTrainConfig:
    return TodTrainConfig(
        variant=variant, steps=STEPS, count=COUNT, batch=BATCH, seed=7, alone_epochs=1, look_every=LOOK_EVERY
    )


@pytest.fixture(scope="module", params=Variant)
def variant(request: pytest.FixtureRequest) -> Variant:
    return Variant(request.param)


@pytest.fixture(scope="module")
def tods(variant: Variant) -> Tods:
    """As few as a figure needs: of each class, or of all together."""
    return simulate_block([1], "balanced", 0, 54 if variant is Variant.SLIDES else 153)


@pytest.fixture(scope="module")
def data(tods: Tods) -> Iterator[TrainingTods]:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    use_one_thread_pool(1)
    first = Tods(**{name: array[:COUNT] for name, array in tods.arrays().items()})
    yield TrainingTods.prepare(first, "made up")
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)


def go_on(state: TodState, variant: Variant, data: TrainingTods, apart: Tods, until: int) -> None:
    config = config_of(variant)
    while state.step < until:
        metrics = train_step(state, config, *data.batch(state.order.next()))
        state.history.add(state.step, metrics)
        look_at(state, config, data.scale, apart)
        if state.step % 4 == 0:
            state.history.report(state.step)


def result(state: TodState) -> tuple[object, ...]:
    """What a person gets: both sets of weights byte for byte, the metrics, the looks."""
    return (
        save(state.average.state_dict()),
        save(state.best.weights),
        state.history.reports,
        state.best.curve,
    )


@pytest.fixture(scope="module")
def whole(variant: Variant, data: TrainingTods, tods: Tods) -> Checkpoint:
    """The state in mid-epoch."""
    state = begin(config_of(variant), data)
    go_on(state, variant, data, tods, FROZEN_AT)
    return Checkpoint(kind="train-todgan", step=state.step, identity={}, parts=state.parts())


@pytest.fixture(scope="module")
def uninterrupted(variant: Variant, data: TrainingTods, tods: Tods) -> tuple[object, ...]:
    state = begin(config_of(variant), data)
    go_on(state, variant, data, tods, STEPS)
    return result(state)


def continued(checkpoint: Checkpoint, variant: Variant, data: TrainingTods, tods: Tods) -> tuple[object, ...]:
    state = begin(config_of(variant), data)
    torch.manual_seed(99)  # whatever the new process has drawn meanwhile must not matter
    state.restore(checkpoint)
    go_on(state, variant, data, tods, STEPS)
    return result(state)


def test_the_whole_state_gives_the_uninterrupted_result(
    whole: Checkpoint, uninterrupted: tuple[object, ...], variant: Variant, data: TrainingTods, tods: Tods
) -> None:
    assert continued(whole, variant, data, tods) == uninterrupted


def test_a_state_without_any_single_part_is_refused(
    whole: Checkpoint, variant: Variant, data: TrainingTods, tods: Tods
) -> None:
    assert len(whole.parts) == PARTS[variant]
    for part in whole.parts:
        less = replace(whole, parts={name: content for name, content in whole.parts.items() if name != part})
        with pytest.raises(CheckpointRefused, match=part):
            continued(less, variant, data, tods)


def test_any_single_part_put_back_to_its_beginning_changes_the_result(
    whole: Checkpoint, uninterrupted: tuple[object, ...], variant: Variant, data: TrainingTods, tods: Tods
) -> None:
    first = begin(config_of(variant), data).parts()
    unchanged = [
        part
        for part in whole.parts
        if continued(replace(whole, parts={**whole.parts, part: first[part]}), variant, data, tods) == uninterrupted
    ]
    # The slides take no average, and plain gradient descent has no state but its rate: both follow from the rest.
    assert unchanged == (["average", "discriminator_optimiser"] if variant is Variant.SLIDES else [])


def test_another_variant_or_another_data_set_is_refused(
    whole: Checkpoint, variant: Variant, data: TrainingTods, tods: Tods
) -> None:
    with pytest.raises(CheckpointRefused, match="not the one that this training began with"):
        continued(whole, variant, replace(data, digest="another"), tods)
    other = Variant.VAE if variant is not Variant.VAE else Variant.SLIDES
    with pytest.raises(CheckpointRefused):
        continued(whole, other, data, tods)
