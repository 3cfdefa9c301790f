"""One training step of each variant."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, relu

from idleq.workloads.todgan.config import TodTrainConfig, Variant
from idleq.workloads.todgan.state import GanState, TodState, VaeState
from idleq.workloads.training.stepping import decay_at, descend, update_average

# The slides' scheme: what a synthetic TOD weighs in the discriminator's loss, and what the generator aims at.
SYNTHETIC_WEIGHT = 0.5
SMOOTHED_LABEL = 0.9


def train_step(state: TodState, config: TodTrainConfig, tods: Tensor, hits: Tensor) -> dict[str, float]:
    """Advance *state* by one step on a batch of real *tods* (B, 1060) with their *hits* (B,)."""
    for optimiser, rate in state.optimisers(config.rates):
        optimiser.param_groups[0]["lr"] = config.rates.at(rate, state.step / config.steps)
    decay = decay_at(state.step, config.rates.average_decay)
    if isinstance(state, VaeState):
        metrics = vae_step(state, config, tods, hits)
        update_average(state.average, state.model.decoder, decay)
    else:
        metrics = (
            slides_step(state, config, tods, hits)
            if config.variant is Variant.SLIDES
            else hinge_step(state, tods, hits)
        )
        update_average(state.average, state.generator, decay)
    state.step += 1
    return metrics


def slides_step(state: GanState, config: TodTrainConfig, tods: Tensor, hits: Tensor) -> dict[str, float]:
    """The slides' scheme: the discriminator alone at first, then both; binary cross-entropy."""
    discriminator_loss = torch.zeros(())
    for _ in range(1 + config.extra_steps):
        with config.precision.autocast(state.device.type):
            with torch.no_grad():
                synthetic = state.generator(state.generator.noise(hits), hits)
            real_score, synthetic_score = state.discriminator(tods, hits), state.discriminator(synthetic, hits)
            discriminator_loss = _entropy(real_score, 1.0) + SYNTHETIC_WEIGHT * _entropy(synthetic_score, 0.0)
        descend(discriminator_loss, state.discriminator_optimiser)

    state.discriminator.requires_grad_(requires_grad=False)
    with config.precision.autocast(state.device.type):
        synthetic = state.generator(state.generator.noise(hits), hits)
        generator_loss = _entropy(state.discriminator(synthetic, hits), SMOOTHED_LABEL)
    if state.step >= config.alone_steps:
        descend(generator_loss, state.generator_optimiser)
    state.discriminator.requires_grad_(requires_grad=True)
    return {"generator_loss": generator_loss.item(), "discriminator_loss": discriminator_loss.item()}


def hinge_step(state: GanState, tods: Tensor, hits: Tensor) -> dict[str, float]:
    """Real above +1, synthetic below -1; the synthetic TODs are asked for as many hits as the real ones have."""
    synthetic = state.generator(state.generator.noise(hits), hits)
    real_score, synthetic_score = state.discriminator(tods, hits), state.discriminator(synthetic.detach(), hits)
    discriminator_loss = relu(1 - real_score).mean() + relu(1 + synthetic_score).mean()
    descend(discriminator_loss, state.discriminator_optimiser)

    state.discriminator.requires_grad_(requires_grad=False)
    generator_loss = -state.discriminator(synthetic, hits).mean()
    descend(generator_loss, state.generator_optimiser)
    state.discriminator.requires_grad_(requires_grad=True)
    return {"generator_loss": generator_loss.item(), "discriminator_loss": discriminator_loss.item()}


def vae_step(state: VaeState, config: TodTrainConfig, tods: Tensor, hits: Tensor) -> dict[str, float]:
    """The evidence bound, per sample: a normal likelihood of learned width, and the code's divergence from normal."""
    with config.precision.autocast(state.device.type):
        mean, log_variance = state.model.encoder(tods, hits)
        codes = mean + torch.exp(log_variance / 2) * torch.randn(mean.shape).to(mean.device)
        decoder = state.model.decoder
        left = (tods - decoder.mean(codes, hits)) * torch.exp(-decoder.log_width)
        likelihood = (left.square() / 2 + decoder.log_width).mean()
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / 2 / tods.shape[1]
    descend(likelihood + divergence, state.optimiser)
    return {"likelihood": likelihood.item(), "divergence": divergence.item()}


def _entropy(scores: Tensor, label: float) -> Tensor:
    return binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))
