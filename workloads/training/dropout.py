"""Dropout whose choices are drawn on the CPU, as all random numbers are, and so of the generator that checkpoints hold."""

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """On the CPU the same as torch's own, bit for bit."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return values
        kept = torch.empty(values.shape, dtype=values.dtype).bernoulli_(1 - self.share).div_(1 - self.share)
        return values * kept.to(values.device)
