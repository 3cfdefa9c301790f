"""Dense layers that several networks are made of."""

from collections.abc import Callable
from itertools import pairwise

from torch import nn


def layers(*widths: int, activation: Callable[[], nn.Module] = nn.SiLU) -> nn.Sequential:
    """Linear layers of these widths with *activation* between them."""
    found: list[nn.Module] = []
    for before, after in pairwise(widths):
        found += [nn.Linear(before, after), activation()]
    return nn.Sequential(*found[:-1])


def straight(before: int, after: int) -> nn.Linear:
    """A linear way beside the layers, which hands on what it is given at first."""
    layer = nn.Linear(before, after)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
