"""Between photo-electrons and the range in which the networks work.

Light is taken as a logarithm: a shower's pixels span three orders of magnitude, and in a linear scale the few
brightest would be all that the losses see.
"""

import math

import torch
from torch import Tensor

from idleq.workloads.iact.rules import BOUNDARY_LEVEL

# The brightest pixel that can be told apart; brighter ones (none in the default data set) are cut to it.
MAX_LIGHT = 2_000.0

# Cleaned images hold no light under the cleaning's lower level, so neither do generated ones.
MIN_LIGHT = float(BOUNDARY_LEVEL)

_LOG_RANGE = math.log1p(MAX_LIGHT)


def to_network(light: Tensor) -> Tensor:
    """Photo-electrons -> [-1, 1], where -1 is no light."""
    return torch.log1p(light.clamp(0, MAX_LIGHT)) * (2 / _LOG_RANGE) - 1


def to_light(values: Tensor) -> Tensor:
    """[-1, 1] -> photo-electrons: the inverse of `to_network`."""
    return torch.expm1((values + 1) * (_LOG_RANGE / 2))


def as_cleaned(light: Tensor) -> Tensor:
    """(B, 1, 32, 32) without the faint pixels that a cleaned image cannot hold, their light given to the others."""
    kept = torch.where(light >= MIN_LIGHT, light, 0.0)
    before, after = light.sum(dim=(2, 3), keepdim=True), kept.sum(dim=(2, 3), keepdim=True)
    return torch.where(after > 0, kept * (before / after.clamp(min=MIN_LIGHT)), kept)
