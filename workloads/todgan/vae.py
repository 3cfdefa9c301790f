"""The slides' alternative: a variational autoencoder, here told the number of hits.

A TOD is mostly noise, which no code of a few numbers can hold: the decoder gives a mean, and what is left is drawn as
white noise of a learned width.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from idleq.workloads.tods.hits import MAX_HITS
from idleq.workloads.tods.instrument import SAMPLES

LATENT = 64
START = SAMPLES // 4
SLOPE = 0.2


class Decoder(nn.Module):
    """Noise and hit counts (B,) -> TODs (B, 1060) on the network's scale."""

    is_conditional = True

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(MAX_HITS + 1, 8)
        self.start = nn.Linear(LATENT + 8, 4 * START)
        self.grow = nn.Sequential(
            nn.ConvTranspose1d(4, 16, 10, stride=2, padding=4),
            nn.LeakyReLU(SLOPE),
            nn.ConvTranspose1d(16, 16, 10, stride=2, padding=4),
            nn.LeakyReLU(SLOPE),
            nn.Conv1d(16, 1, 11, padding=5),
        )
        self.log_width = nn.Parameter(torch.zeros(()))

    def noise(self, hits: Tensor, random: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """What one batch is made from: codes, and what is left."""
        count = len(hits)
        codes, left = torch.randn(count, LATENT, generator=random), torch.randn(count, SAMPLES, generator=random)
        return codes.to(hits.device), left.to(hits.device)

    def mean(self, codes: Tensor, hits: Tensor) -> Tensor:
        """The TODs that the codes stand for, without what is left."""
        started = leaky_relu(self.start(torch.cat([codes, self.embed(hits)], dim=1)), SLOPE)
        tods: Tensor = self.grow(started.reshape(-1, 4, START))[:, 0].float()
        return tods

    def forward(self, noise: tuple[Tensor, ...], hits: Tensor) -> Tensor:
        codes, left = noise
        return self.mean(codes, hits) + torch.exp(self.log_width) * left


class Encoder(nn.Module):
    """TODs (B, 1060) and hit counts (B,) -> mean and logarithmic variance of the code (B, 64) each."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(MAX_HITS + 1, 8)
        self.shrink = nn.Sequential(
            nn.Conv1d(1, 16, 10, stride=2, padding=4),
            nn.LeakyReLU(SLOPE),
            nn.Conv1d(16, 16, 10, stride=2, padding=4),
            nn.LeakyReLU(SLOPE),
        )
        self.code = nn.Linear(16 * START + 8, 2 * LATENT)

    def forward(self, tods: Tensor, hits: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.shrink(tods[:, None]).flatten(1)
        mean, log_variance = self.code(torch.cat([maps, self.embed(hits)], dim=1)).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 4)


class Autoencoder(nn.Module):
    """Both halves, trained as one."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()
