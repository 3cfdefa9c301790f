"""Between photo-electrons and the range in which the networks work.

Light is taken as a logarithm: a shower's pixels span three orders of magnitude, and in a linear scale the few
brightest would be all that the losses see.
"""

import math

import torch
from torch import Tensor

# The brightest pixel that can be told apart; brighter ones (none in the default data set) are cut to it.
MAX_LIGHT = 2_000.0

_LOG_RANGE = math.log1p(MAX_LIGHT)


def to_network(light: Tensor) -> Tensor:
    """Photo-electrons -> [-1, 1], where -1 is no light."""
    return torch.log1p(light.clamp(0, MAX_LIGHT)) * (2 / _LOG_RANGE) - 1


def to_light(values: Tensor) -> Tensor:
    """[-1, 1] -> photo-electrons: the inverse of `to_network`."""
    return torch.expm1((values + 1) * (_LOG_RANGE / 2))
