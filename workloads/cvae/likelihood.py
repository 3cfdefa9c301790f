"""How likely a cleaned image is, given the light that was expected.

A pixel's counts are Poisson with the mean of light and night sky together. Where the image is lit they are known; where
it is dark, cleaning says only that there were fewer than some level. So nothing is asked of light that nobody sees.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from idleq.workloads.iact.response import NIGHT_SKY


@dataclass(frozen=True)
class Observed:
    """Cleaned images as the likelihood needs them."""

    counts: Tensor  # (B, 609), with the night sky's mean put back
    lit: Tensor  # (B, 609)
    most: Tensor  # (B, 609), the most counts that a dark pixel can have had

    @classmethod
    def of(cls, images: Tensor, dark_below: Tensor) -> Self:
        """What is known of *images* (B, 609), of which each dark pixel had less than *dark_below* (B, 609)."""
        return cls(counts=images + NIGHT_SKY, lit=images > 0, most=torch.floor(dark_below + NIGHT_SKY))


def log_likelihood(light: Tensor, seen: Observed) -> Tensor:
    """Expected light (B, 609) -> the log likelihood (B,), but for terms that do not depend on the light."""
    mean = light + NIGHT_SKY
    known = seen.counts * torch.log(mean) - mean
    return torch.where(seen.lit, known, log_at_most(seen.most, mean)).sum(dim=1)


def log_at_most(most: Tensor, mean: Tensor) -> Tensor:
    """Log P(Poisson(mean) <= most), by Wilson and Hilferty's cube root (1931): smooth, and good far into the tail."""
    rate = most + 1
    argument = 3 * torch.sqrt(rate) * (1 - 1 / (9 * rate) - torch.pow(mean / rate, 1 / 3))
    chance: Tensor = torch.special.log_ndtr(argument)
    return chance
