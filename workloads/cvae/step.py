"""One training step, and the look at events that are not trained on."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from idleq.workloads.cvae.config import TrainConfig
from idleq.workloads.cvae.data import Batch, TrainingData
from idleq.workloads.cvae.model import Model
from idleq.workloads.cvae.state import VaeState
from idleq.workloads.iact.sizing import condition_of
from idleq.workloads.training.stepping import rate_at, update_average

MOST_LOOKED_AT = 1_000


def train_step(state: VaeState, config: TrainConfig, data: TrainingData) -> dict[str, float]:
    """Advance *state* by one step."""
    batch = data.batch(state.order.next())
    misfit, divergence = bound(state.model, batch, torch.randn(config.batch, config.latent).to(state.device))
    weights = state.model.weights(batch)
    loss = (weights / weights.mean() * (misfit + divergence)).mean()
    for group in state.optimiser.param_groups:
        group["lr"] = rate_at(state.step, steps=config.steps, first=config.rate)
    state.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    clip_grad_norm_(state.model.parameters(), config.largest_gradient)
    state.optimiser.step()
    update_average(state.average, state.model, config.average_decay)
    state.step += 1
    if state.step % config.look_every == 0 or state.step == config.steps:
        state.best.look(state.average, validate(state.average, config, data), state.step)
    return {"loss": loss.item(), "misfit": misfit.mean().item(), "divergence": divergence.mean().item()}


def bound(model: Model, batch: Batch, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The two terms of the evidence bound, to be made small: the misfit (B,) and the code's divergence (B,).

    Kingma and Welling, arXiv:1312.6114, with the divergence from one draw, since a prior may be a flow.
    """
    condition = condition_of(batch.sizes)
    mean, log_variance = model.encoder(batch.images, condition)
    code = mean + noise * torch.exp(0.5 * log_variance)
    light = model.decoder(code, batch.sizes)
    divergence = -0.5 * (log_variance + noise.square()).sum(dim=1) - model.prior.log_density(code, condition)
    return model.misfit(light, batch), divergence


@torch.no_grad()
def validate(model: Model, config: TrainConfig, data: TrainingData) -> float:
    """The mean bound on the events that are kept back, with the same noise at each look."""
    chosen = np.arange(config.trained_on, config.events)[:MOST_LOOKED_AT]
    noise = torch.randn(len(chosen), config.latent, generator=torch.Generator().manual_seed(config.seed))
    misfit, divergence = bound(model, data.batch(chosen), noise.to(data.images.device))
    return float((misfit + divergence).mean())
