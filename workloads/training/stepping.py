"""What the steps of several trainings do alike: how far they go, a step of an optimiser, and the average that follows."""

import math

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def rate_at(step: int, *, steps: int, first: float) -> float:
    """The learning rate of *step*: half a cosine from the *first* down to a hundredth, a function of the step alone."""
    return first * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def descend(loss: Tensor, optimiser: Optimizer) -> None:
    """Take a step down *loss*."""
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    optimiser.step()


def decay_at(step: int, most: float) -> float:
    """The share of an average that *step* leaves, *most* later on: the beginning is soon forgotten."""
    return min(most, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move *average* a little towards *model*; the normalisations' statistics are taken over as they are."""
    for mean, current in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)
    for kept, present in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(present)
