"""What a training on TODs tells of itself."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")
pytest.importorskip("h5py", reason="the train extra is not installed")
pytest.importorskip("matplotlib", reason="the train extra is not installed")

from idleq.workloads.todgan.config import TodTrainConfig, Variant
from idleq.workloads.todgan.data import TrainingTods
from idleq.workloads.todgan.results import write_results
from idleq.workloads.todgan.state import begin
from idleq.workloads.todgan.step import train_step
from idleq.workloads.tods.simulation import simulate_block


def test_the_card_says_how_many_steps_were_taken_not_how_many_were_wanted(tmp_path: Path) -> None:
    config = TodTrainConfig(variant=Variant.VAE, steps=9, count=153, batch=4, report_every=1)
    data = TrainingTods.prepare(simulate_block([1], "balanced", 0, 153), "made up")
    state = begin(config, data)
    for _ in range(2):
        state.history.add(state.step, train_step(state, config, *data.batch(state.order.next())))
    state.history.report(state.step)
    state.best.look(state.average, 1.0, state.step)

    list(write_results(tmp_path, config, data, state, {}))

    assert json.loads((tmp_path / "model-card.json").read_text())["figures"]["steps"] == 2
