"""What a training on TODs does in a step, and which weights it keeps."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")
pytest.importorskip("h5py", reason="the train extra is not installed")

import torch
from safetensors.torch import save

from idleq.workloads import cli
from idleq.workloads.checkpoint import Checkpoint, CheckpointStore
from idleq.workloads.errors import BadOption, CheckpointRefused, DamagedData
from idleq.workloads.todgan.config import TodTrainConfig, Variant
from idleq.workloads.todgan.data import TrainingTods
from idleq.workloads.todgan.looking import look_at
from idleq.workloads.todgan.state import begin
from idleq.workloads.todgan.step import train_step
from idleq.workloads.tods.simulation import Tods, simulate_block
from idleq.workloads.training.device import use_one_thread_pool

COUNT, BATCH = 18, 4


def config_of(variant: Variant) -> TodTrainConfig:
    return TodTrainConfig(variant=variant, steps=9, count=COUNT, batch=BATCH, seed=7, alone_epochs=1)


@pytest.fixture(scope="module")
def tods() -> Tods:
    return simulate_block([1], "balanced", 0, 153)


@pytest.fixture(scope="module")
def data(tods: Tods) -> Iterator[TrainingTods]:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    use_one_thread_pool(1)
    first = Tods(**{name: array[:COUNT] for name, array in tods.arrays().items()})
    yield TrainingTods.prepare(first, "made up")
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)


def test_the_slides_discriminator_learns_alone_at_first(data: TrainingTods) -> None:
    config = config_of(Variant.SLIDES)
    state = begin(config, data)
    before = [values.clone() for values in state.average.parameters()]
    while state.step < config.alone_steps:
        train_step(state, config, *data.batch(state.order.next()))
    assert config.alone_steps == COUNT // BATCH
    assert all(torch.equal(one, other) for one, other in zip(before, state.average.parameters(), strict=True))
    train_step(state, config, *data.batch(state.order.next()))
    assert not all(torch.equal(one, other) for one, other in zip(before, state.average.parameters(), strict=True))


def test_looking_more_often_changes_nothing_that_is_learned(data: TrainingTods, tods: Tods) -> None:
    results = []
    for every in (1, 100):
        config = replace(config_of(Variant.CONDITIONAL), look_every=every)
        state = begin(config, data)
        while state.step < 4:
            train_step(state, config, *data.batch(state.order.next()))
            look_at(state, config, data.scale, tods)
        results.append(save(state.average.state_dict()))
    assert results[0] == results[1]


def test_the_selected_weights_are_those_of_the_best_look(data: TrainingTods) -> None:
    state = begin(config_of(Variant.VAE), data)
    weights = []
    for step, figure in ((1, 3.0), (2, 1.5), (3, float("inf")), (4, 2.0)):
        torch.nn.init.constant_(next(state.average.parameters()), float(step))
        weights.append(save(state.average.state_dict()))
        state.best.look(state.average, figure, step)
    assert (state.best.step, state.best.figure) == (2, 1.5)
    assert save(dict(state.best.weights)) == weights[1]


def test_a_training_is_over_where_nothing_better_has_come_for_long(data: TrainingTods) -> None:
    config = replace(config_of(Variant.VAE), patience=2)
    state, over = begin(config, data), []
    for step, figure in enumerate((float("inf"), float("inf"), float("inf"), 2.0, 3.0, 1.0, 4.0, 1.5), start=1):
        state.best.look(state.average, figure, step)
        over.append(state.best.is_over)
    assert over == [False] * 7 + [True], "without any figure a training goes on; with one it waits for two more looks"
    again = begin(config, data)
    again.best.load_state_dict(state.best.state_dict())
    assert again.best.is_over


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "--steps must be between"),
        ({"batch": 1}, "--batch must be between"),
        ({"count": 3}, "--count must be between one batch"),
        ({"extra_steps": -1}, "--extra-steps must be between"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        replace(config_of(Variant.SLIDES), **change)  # type: ignore[arg-type] # numbers


def test_tods_on_the_networks_scale_are_of_order_one(data: TrainingTods) -> None:
    assert float(data.tods.std()) == pytest.approx(1, abs=1e-3)
    assert float(data.tods.mean()) == pytest.approx(0, abs=1e-3)
    assert np.bincount(data.hits.clamp(max=2).numpy()).tolist() == [6, 6, 6]


def test_the_rates_fall_in_a_line_where_a_variant_says_so(data: TrainingTods) -> None:
    config = config_of(Variant.CONDITIONAL)
    state = begin(config, data)
    rates = []
    while state.step < config.steps:
        train_step(state, config, *data.batch(state.order.next()))
        rates.append([optimiser.param_groups[0]["lr"] for optimiser, _ in state.optimisers(config.rates)])
    first = np.array([config.rates.generator, config.rates.discriminator])
    shares = 1 - np.arange(config.steps) / config.steps * (1 - config.rates.last_share)
    assert np.array(rates) == pytest.approx(shares[:, None] * first)


def test_a_pass_through_the_autoencoder_lowers_its_bound(data: TrainingTods) -> None:
    config = replace(config_of(Variant.VAE), steps=40)
    state = begin(config, data)
    seen = [train_step(state, config, *data.batch(state.order.next())) for _ in range(config.steps)]
    bound = [one["likelihood"] + one["divergence"] for one in seen]
    assert np.mean(bound[-10:]) < np.mean(bound[:10])


def test_tods_without_any_spread_are_refused(tods: Tods) -> None:
    flat = replace(tods, tods=np.full_like(tods.tods, -3e-17))
    with pytest.raises(DamagedData, match="nothing to learn"):
        TrainingTods.prepare(flat, "flat")


def test_a_checkpoint_of_another_variant_is_refused_and_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = {**config_of(Variant.VAE).identity(), "hits": "balanced"}
    store = CheckpointStore(tmp_path / ".checkpoints")
    store.save(Checkpoint(kind="train-todgan", step=3, identity=identity, parts={"progress.jsonl": b""}))
    argv = ["train-todgan", "--variant", "conditional", "--steps", "9", "--count", "18", "--batch", "4", "--seed", "7"]
    assert cli.main([*argv, "--output", str(tmp_path)]) == CheckpointRefused.exit_code
    assert "the checkpoint was made with" in capsys.readouterr().err
    loaded = store.load()
    assert loaded is not None
    assert loaded.identity == identity
