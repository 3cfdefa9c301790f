"""The best weights are kept, and a training that finds none better for long ends early."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import nn

from idleq.workloads.contract import Places
from idleq.workloads.guest import Guest
from idleq.workloads.training.batches import BatchOrder
from idleq.workloads.training.best import Best
from idleq.workloads.training.history import History
from idleq.workloads.training.loop import train
from idleq.workloads.training.state import TrainingState


@dataclass
class Schedule:
    steps: int
    report_every: int


def look(best: Best, model: nn.Linear, figure: float, step: int) -> None:
    nn.init.constant_(model.bias, step)
    best.look(model, figure, step)


def test_the_weights_of_the_lowest_figure_are_kept_and_none_better_for_long_is_the_end() -> None:
    model = nn.Linear(1, 1)
    best, over = Best(model, patience=2), []
    for step, figure in enumerate((3.0, 2.0, math.nan, 1.0, 1.5, 1.0), start=1):
        look(best, model, figure, step)
        over.append(best.is_over)
    assert (best.step, best.figure, best.weights["bias"].item()) == (4, 1.0, 4.0)
    assert over == [False] * 5 + [True]


@pytest.mark.parametrize("figure", [math.inf, math.nan])
def test_the_first_look_is_better_than_what_has_learned_nothing(figure: float) -> None:
    model = nn.Linear(1, 1)
    best = Best(model, patience=1)
    look(best, model, figure, 1)
    look(best, model, figure, 2)
    assert (best.step, best.figure, best.weights["bias"].item(), best.is_over) == (1, math.inf, 1.0, False)
    look(best, model, 5.0, 3)
    assert (best.step, best.figure, best.weights["bias"].item()) == (3, 5.0, 3.0)


def test_a_copy_of_a_model_gets_the_best_weights() -> None:
    model = nn.Linear(1, 1)
    best = Best(model, patience=1)
    for step, figure in ((1, 1.0), (2, 2.0)):
        look(best, model, figure, step)
    assert (best.model(model).bias.item(), model.bias.item()) == (1.0, 2.0)


def test_the_best_goes_on_from_its_state() -> None:
    model = nn.Linear(1, 1)
    best, again = Best(model, patience=2), Best(model, patience=2)
    for step, figure in ((1, 1.0), (2, 2.0)):
        look(best, model, figure, step)
    again.load_state_dict(best.state_dict())
    assert not again.is_over
    look(again, model, 3.0, 3)
    assert again.is_over
    assert again.weights["bias"].item() == 1.0


def test_a_training_that_is_over_reports_and_ends_before_its_last_step(tmp_path: Path) -> None:
    order = BatchOrder.begin(events=4, batch=2, random=np.random.default_rng(0))
    model = nn.Linear(1, 1)
    best = Best(model, patience=3)
    state = TrainingState(order=order, history=History(), data_digest="made up", best=best)

    def step() -> dict[str, float]:
        state.step += 1
        look(best, model, abs(10.0 - state.step), state.step)
        return {"loss": float(torch.tensor(state.step))}

    with Guest(places=Places.from_environment({}, str(tmp_path / "o")), kind="test", identity={}) as guest:
        assert train(guest, state, Schedule(steps=100, report_every=10), step)
    lines = [json.loads(line) for line in (tmp_path / "o" / "progress.jsonl").read_text().splitlines()]
    assert [(line["step"], line["metrics"]) for line in lines] == [(10, {"loss": 5.5}), (13, {"loss": 12.0})]
    assert state.history.devices == ["cpu"]
