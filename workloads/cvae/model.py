"""The three parts: an encoder, a decoder of shape times size, and the prior of codes.

After the conditional VAE of arXiv:2211.12553. Two things differ. The decoder gives the *expected* light, and an image is
what the camera records of it: the noise of light, the night sky, trigger and cleaning are known and need not be learnt;
the likelihood is that of the recorded counts. And the prior is learnt (flow.py).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from idleq.workloads.cvae.flow import Prior
from idleq.workloads.iact.camera import SIDE

# log10 of the size: the middle and the spread of the training set, so that the condition is of order one.
LOG_SIZE_MIDDLE = 2.3
LOG_SIZE_SPREAD = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """What must be known to build the model that fits given weights."""

    latent: int
    width: int

    def to_dict(self) -> dict[str, int]:
        """Plain values, for a file's header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, int]) -> Self:
        """The inverse of `to_dict`."""
        return cls(latent=values["latent"], width=values["width"])


def condition_of(sizes: Tensor) -> Tensor:
    """Sizes (B,) in photo-electrons -> the condition (B, 1)."""
    return ((torch.log10(sizes) - LOG_SIZE_MIDDLE) / LOG_SIZE_SPREAD)[:, None]


class Encoder(nn.Module):
    """Maps (B, 1, 32, 32) and conditions (B, 1) -> mean and log variance of the code (B, latent) each."""

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        width = size.width
        self.shrink = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1),
            nn.SiLU(),
        )
        self.merge = nn.Linear(4 * width * 4 * 4 + 1, 128)
        self.code = nn.Linear(128, 2 * size.latent)

    def forward(self, maps: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        features = self.shrink(maps).flatten(1)  # (B, 4w * 16)
        mean, log_variance = self.code(silu(self.merge(torch.cat([features, condition], dim=1)))).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)


class Decoder(nn.Module):
    """Codes (B, latent) and sizes (B,) -> expected light (B, 1, 32, 32), none outside the camera.

    A shape that sums to one, times the size, times a factor near one: cleaning takes light away, so that more must be
    expected than is to be measured.
    """

    def __init__(self, size: ModelSize, mask: Tensor) -> None:
        super().__init__()
        width = size.width
        self.start_channels = 4 * width
        self.start = nn.Sequential(nn.Linear(size.latent + 1, 128), nn.SiLU(), nn.Linear(128, 4 * width * 4 * 4))
        self.grow = nn.Sequential(
            nn.SiLU(),
            nn.ConvTranspose2d(4 * width, 4 * width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 4, 3, padding=1),
            nn.PixelShuffle(2),
        )
        self.lost = nn.Sequential(nn.Linear(size.latent + 1, 32), nn.SiLU(), nn.Linear(32, 1))
        self.register_buffer("mask", mask.reshape(1, 1, SIDE, SIDE), persistent=False)

    def forward(self, code: Tensor, sizes: Tensor) -> Tensor:
        given = torch.cat([code, condition_of(sizes)], dim=1)
        logits = self.grow(self.start(given).reshape(-1, self.start_channels, 4, 4))  # (B, 1, 32, 32)
        logits = logits.masked_fill(~self.get_buffer("mask"), float("-inf"))
        shape = torch.softmax(logits.flatten(1), dim=1)  # (B, 1024)
        light: Tensor = shape * (sizes[:, None] * torch.exp(self.lost(given)))
        return light.reshape(-1, 1, SIDE, SIDE)


class Model(nn.Module):
    """All three, as one thing to train and to save; it carries the sizes that it was trained on."""

    def __init__(self, size: ModelSize, mask: Tensor, log_quantiles: Tensor) -> None:
        super().__init__()
        self.latent = size.latent
        self.encoder = Encoder(size)
        self.decoder = Decoder(size, mask)
        self.prior = Prior(size.latent, 1)
        self.register_buffer("log_quantiles", log_quantiles)
