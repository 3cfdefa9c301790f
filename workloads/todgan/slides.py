"""The two networks of the slides, layer by layer: 33,766 and 10,785 trainable parameters.

Paddings are Keras's "same": where a kernel is even, the longer side is at the end. The slides' last layer is called a
normalisation and has no parameters; here it is a batch normalisation without gain and bias, which keeps the differences
between TODs that a normalisation of each by itself would remove.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad

from idleq.workloads.tods.instrument import SAMPLES

LATENT = 100
START = SAMPLES // 4
KERNEL = 10

# Keras's default, since the slides give none.
SLOPE = 0.3

GENERATOR_PARAMETERS = 33_766
DISCRIMINATOR_PARAMETERS = 10_785


class SlidesGenerator(nn.Module):
    """Noise (B, 100) -> TODs (B, 1060) on the network's scale; it knows nothing of hits."""

    is_conditional = False

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Linear(LATENT, START)
        self.grow = nn.ModuleList(
            [
                nn.ConvTranspose1d(1, 8, KERNEL, stride=1, padding=4),
                nn.ConvTranspose1d(8, 16, KERNEL, stride=2, padding=4),
                nn.ConvTranspose1d(16, 32, KERNEL, stride=2, padding=4),
            ]
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for channels in (8, 16, 32))
        # A separable convolution: one filter for each channel, then a sum over the channels.
        self.filters = nn.Conv1d(32, 32, KERNEL, groups=32, bias=False)
        self.merge = nn.Conv1d(32, 1, 1)
        self.normalise = nn.BatchNorm1d(1, affine=False)

    def noise(self, hits: Tensor, random: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """What one batch is made from."""
        return (torch.randn(len(hits), LATENT, generator=random).to(hits.device),)

    def forward(self, noise: tuple[Tensor, ...], _hits: Tensor) -> Tensor:
        maps = leaky_relu(self.start(noise[0]), SLOPE)[:, None]  # (B, 1, 265)
        for length, grow, norm in zip((START, 2 * START, SAMPLES), self.grow, self.norms, strict=True):
            maps = norm(leaky_relu(grow(maps)[..., :length], SLOPE))  # (B, 8, 265), (B, 16, 530), (B, 32, 1060)
        merged = leaky_relu(self.merge(self.filters(pad(maps, (4, 5)))), SLOPE)  # (B, 1, 1060)
        tods: Tensor = self.normalise(merged.float())[:, 0]
        return tods


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each sample."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1))

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps.float()
        centred = maps - maps.mean(dim=1, keepdim=True)
        spread = torch.sqrt(centred.square().mean(dim=1, keepdim=True) + 1e-3)  # Keras's epsilon
        return centred / spread * self.gain + self.bias


class SlidesDiscriminator(nn.Module):
    """TODs (B, 1060) -> logits (B,): above zero where a TOD looks real."""

    # Padding before and behind, input channels, output channels, kernel, stride.
    _LAYERS = (((9, 10), 1, 8, 20, 1), ((4, 5), 8, 8, 10, 1), ((4, 4), 8, 16, 10, 2), ((2, 3), 16, 32, 10, 5))

    def __init__(self) -> None:
        super().__init__()
        self.shrink = nn.ModuleList(
            nn.Conv1d(before, after, kernel, stride=stride) for _, before, after, kernel, stride in self._LAYERS
        )
        self.norms = nn.ModuleList(ChannelNorm(layer[2]) for layer in self._LAYERS)
        self.judge = nn.Linear(32 * SAMPLES // 10, 1)

    def forward(self, tods: Tensor, _hits: Tensor) -> Tensor:
        maps = tods[:, None]  # (B, 1, 1060)
        for layer, shrink, norm in zip(self._LAYERS, self.shrink, self.norms, strict=True):
            maps = norm(leaky_relu(shrink(pad(maps, layer[0])), SLOPE))  # 1060, 1060, 530, 106 samples
        judged: Tensor = self.judge(maps.flatten(1))[:, 0].float()
        return judged
