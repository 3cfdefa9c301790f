"""A generator that is told the number of hits, and a discriminator that sees what tells TODs apart.

A TOD is a stationary noise with a few short pulses. So the generator filters white noise of the TOD's own length, by a
response that it learns, and puts as many pulses as it was asked for at uniformly drawn times, each with a shape that a
small network makes of its own noise. There is no bottleneck that could collapse: every TOD has a thousand numbers of
its own. **The number of hits and the uniform times hold by construction**; the spectrum, the pulses' shape and the
distribution of their amplitudes are learned.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, silu
from torch.nn.utils.parametrizations import spectral_norm

from idleq.workloads.tods.hits import MAX_HITS
from idleq.workloads.tods.instrument import SAMPLES, SAMPLING_HZ

# White noise of twice the length, since filtering by Fourier transform comes back to its beginning.
LONG = 2 * SAMPLES + 40

# A pulse's samples before and behind its time: as far as the decimation's filter rings visibly.
BEFORE, BEHIND = 10, 14
PULSE = BEFORE + BEHIND

# Of each pulse: where between two samples it falls, and what decides its amplitude and length.
MARKS = 3

SLOPE = 0.2
SPECTRAL_BANDS = 24
LARGEST, SMALLEST = 8, 4
TRUNK = 16


def knots() -> Tensor:
    """Frequencies in Hz at which the response is learned: close together where the anti-alias filter falls off."""
    low = torch.logspace(-2.3, 0.9, 28, dtype=torch.float64)
    high = torch.linspace(8.25, SAMPLING_HZ / 2, 11, dtype=torch.float64)
    return torch.cat([low, high])


class LearnedNoise(nn.Module):
    """White noise (B, LONG) -> noise (B, 1060) with the learned spectrum."""

    def __init__(self) -> None:
        super().__init__()
        at = knots()
        frequencies = torch.fft.rfftfreq(LONG, 1 / SAMPLING_HZ, dtype=torch.float64).clamp(min=at[0].item())
        upper = torch.searchsorted(at, frequencies).clamp(1, len(at) - 1)
        logs, position = at.log(), frequencies.log()
        share = (position - logs[upper - 1]) / (logs[upper] - logs[upper - 1])
        self.register_buffer("upper", upper, persistent=False)
        self.register_buffer("share", share.float(), persistent=False)
        self.log_gain = nn.Parameter(torch.zeros(len(at)))
        self.mean = nn.Parameter(torch.zeros(()))

    def forward(self, white: Tensor) -> Tensor:
        upper = self.get_buffer("upper")
        gain = torch.exp(torch.lerp(self.log_gain[upper - 1], self.log_gain[upper], self.get_buffer("share")))
        shaped = torch.fft.irfft(torch.fft.rfft(white) * gain, n=LONG)
        noise: Tensor = shaped[:, :SAMPLES] + self.mean
        return noise


class LearnedPulses(nn.Module):
    """Times (B, MAX_HITS) in samples, marks (B, MAX_HITS, 2) and counts (B,) -> the pulses of each TOD (B, 1060)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(MARKS, width), nn.Linear(width, width), nn.Linear(width, PULSE)])

    def forward(self, times: Tensor, marks: Tensor, hits: Tensor) -> Tensor:
        sample = times.floor()
        values = torch.cat([(times - sample)[..., None] * 2 - 1, marks], dim=2)  # (B, MAX_HITS, MARKS)
        values = silu(self.layers[0](values))
        values = silu(self.layers[1](values))
        there = torch.arange(MAX_HITS, device=hits.device) < hits[:, None]
        pulses = self.layers[2](values) * there[..., None]  # (B, MAX_HITS, PULSE)
        where = sample.long()[..., None] + torch.arange(PULSE, device=hits.device)
        padded = pulses.new_zeros(len(hits), SAMPLES + PULSE)
        added = padded.scatter_add(1, where.flatten(1), pulses.flatten(1))
        made: Tensor = added[:, BEFORE : BEFORE + SAMPLES]
        return made


class ConditionalGenerator(nn.Module):
    """Noise and hit counts (B,) -> TODs (B, 1060) on the network's scale."""

    is_conditional = True

    def __init__(self) -> None:
        super().__init__()
        self.background = LearnedNoise()
        self.pulses = LearnedPulses()

    def noise(self, hits: Tensor, random: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """What one batch is made from: white noise, the times of the hits, the marks of the hits."""
        count = len(hits)
        white = torch.randn(count, LONG, generator=random)
        times = torch.rand(count, MAX_HITS, generator=random) * SAMPLES
        marks = torch.randn(count, MAX_HITS, MARKS - 1, generator=random)
        return white.to(hits.device), times.to(hits.device), marks.to(hits.device)

    def forward(self, noise: tuple[Tensor, ...], hits: Tensor) -> Tensor:
        white, times, marks = noise
        tods: Tensor = self.background(white) + self.pulses(times, marks, hits)
        return tods


class ConditionalDiscriminator(nn.Module):
    """TODs (B, 1060) and hit counts (B,) -> how real each looks (B,).

    Beside a convolutional trunk it is given the power in bands, the largest and smallest samples, and the mean and the
    spread of these within the batch: one TOD's power in a narrow band says next to nothing, sixty-four do. Every layer
    is spectrally normalised; the count enters as an inner product.
    """

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.shrink = nn.ModuleList(
            spectral_norm(nn.Conv1d(before, after, 8, stride=stride, padding=3))
            for before, after, stride in ((1, 8, 2), (8, TRUNK, 4))
        )
        numbers = 1 + SPECTRAL_BANDS + LARGEST + SMALLEST
        self.merge = nn.ModuleList(
            [spectral_norm(nn.Linear(2 * TRUNK + 3 * numbers, width)), spectral_norm(nn.Linear(width, width))]
        )
        self.judge = spectral_norm(nn.Linear(width, 1))
        self.embed = spectral_norm(nn.Embedding(MAX_HITS + 1, width))
        self.register_buffer("bands", band_matrix(), persistent=False)
        self.register_buffer("window", torch.hann_window(SAMPLES), persistent=False)

    def forward(self, tods: Tensor, hits: Tensor) -> Tensor:
        maps = tods[:, None]
        for shrink in self.shrink:
            maps = leaky_relu(shrink(maps), SLOPE)  # (B, 8, 530), (B, 16, 132)
        numbers = self._numbers(tods)
        middle = 4 * numbers.mean(dim=0, keepdim=True).expand_as(numbers)
        spread = numbers.std(dim=0, keepdim=True).expand_as(numbers)
        seen = torch.cat([maps.mean(dim=2), maps.amax(dim=2), numbers, middle, spread], dim=1)
        for merge in self.merge:
            seen = leaky_relu(merge(seen), SLOPE)
        judged: Tensor = self.judge(seen)[:, 0] + (self.embed(hits) * seen).sum(dim=1)
        return judged

    def _numbers(self, tods: Tensor) -> Tensor:
        """(B, 1 + bands + largest + smallest): the mean, the logarithm of the power in each band, the extreme samples."""
        mean = tods.mean(dim=1, keepdim=True)
        # Without its mean, since the window would let that into the lowest band.
        windowed = (tods - mean) * self.get_buffer("window")
        power = torch.fft.rfft(windowed).abs().square() @ self.get_buffer("bands") / SAMPLES
        largest = tods.topk(LARGEST, dim=1).values
        smallest = tods.topk(SMALLEST, dim=1, largest=False).values
        return torch.cat([4 * mean, torch.log(power + 1e-4), largest / 4, smallest / 4], dim=1)


def band_matrix() -> Tensor:
    """(frequencies, bands): the mean over the frequencies of each logarithmic band."""
    frequencies = torch.fft.rfftfreq(SAMPLES, 1 / SAMPLING_HZ)
    edges = torch.logspace(torch.log10(frequencies[1]).item() - 0.01, 0.9786, SPECTRAL_BANDS + 1)
    inside = (frequencies[:, None] >= edges[None, :-1]) & (frequencies[:, None] < edges[None, 1:])
    counts = inside.sum(dim=0)
    mean: Tensor = (inside / counts.clamp(min=1)).float()
    return mean
