"""One training step, and scores of many events."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from idleq.workloads.classifier.config import TrainConfig
from idleq.workloads.classifier.data import Events, TrainingData
from idleq.workloads.classifier.model import Classifier
from idleq.workloads.classifier.state import ClassifierState
from idleq.workloads.training.device import device_of
from idleq.workloads.training.stepping import descend, rate_at, update_average

Array = npt.NDArray[Any]

BATCH = 512

# Sure answers pay for every event that the table itself has on the wrong side.
SMOOTHING = 0.02

LOOKED_AT = 4_000


def train_step(state: ClassifierState, config: TrainConfig, data: TrainingData) -> dict[str, float]:
    """Advance *state* by one step."""
    chosen = state.order.next()
    images = torch.from_numpy(data.learn.images[chosen]).to(state.device)
    truth = torch.from_numpy(data.learn.is_gamma[chosen]).float().to(state.device)
    with config.precision.autocast(state.device.type):
        logits = state.model(images)
        loss = _loss(logits, truth)
    for group in state.optimiser.param_groups:
        group["lr"] = rate_at(state.step, steps=config.steps, first=config.rate)
    descend(loss, state.optimiser)
    update_average(state.average, state.model, config.average_decay)
    state.step += 1
    if state.step % config.look_every == 0 or state.step == config.steps:
        state.best.look(state.average, validate(state.average, data.validate), state.step)
    right = ((logits > 0) == (truth > 0)).float().mean().item()
    return {"loss": loss.item(), "right": right}


def _loss(logits: Tensor, truth: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, truth * (1 - 2 * SMOOTHING) + SMOOTHING)


def validate(model: Classifier, events: Events) -> float:
    """The mean loss on some events of each kind."""
    chosen = np.linspace(0, len(events.images) - 1, min(LOOKED_AT, len(events.images))).astype(np.int64)
    logits = torch.from_numpy(logits_of(model, events.images[chosen]))
    return float(_loss(logits, torch.from_numpy(events.is_gamma[chosen]).float()))


@torch.no_grad()
def logits_of(model: Classifier, images: Array) -> Array:
    """(n, 609) -> (n,): the logits of the gamma score."""
    batches, device = torch.split(torch.from_numpy(images.astype(np.float32)), BATCH), device_of(model)
    logits: Array = torch.cat([model(batch.to(device)).cpu() for batch in batches]).numpy()
    return logits


def scores_of(model: Classifier, images: Array) -> Array:
    """(n, 609) -> (n,): how much each looks like a gamma, 0 to 1."""
    scores: Array = 1 / (1 + np.exp(-logits_of(model, images).astype(np.float64)))
    return scores
