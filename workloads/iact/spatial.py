"""Shapes of showers as bells that are moved, stretched, bent and leant: from few numbers to a shape, and what an image says of them.

The pixels' places are brought to where a shower's own axes are, and its light is smooth there: a network that gives the
numbers need not learn anew what a shower is at each place of the camera (after the spatial VAE, Bepler et al.,
arXiv:1909.11663, section 3, which moves and turns; here a shape is stretched as well).

Its own axes are the way from the camera's middle to it, and across: nature knows no other direction, as a telescope may
be turned, and showers point to where they come from (Hillas's alpha).

A stretch is the exponential of a symmetric matrix [[s + p, q], [q, s - p]] / 2: s says how small a shower is, (p, q) how
long and in which direction, and every matrix is one of some shower. Places are in radii of the camera.
"""

import torch
from torch import Tensor, nn

from idleq.workloads.iact.camera import Camera

USUAL_STRETCH = 4.9
"""The s of a shower of 4 by 2 pixels (rms), about which the numbers are counted."""

MOST_STRETCH = 4.0
"""No number of a stretch is larger: e^2 times as small or large as usual, or as long as wide."""

LEAST_VARIANCE = 3e-4
"""That of light in one pixel, in squared radii of the camera."""

BENDS = 9
"""Terms of the first to third degree, all but the constant."""

LEANS = 2
"""How much farther its light reaches to one side than to the other, along and across: a shower has a steep head and a long tail."""

NUMBERS = 2 + 3 + BENDS + LEANS
"""What a shape is made of: its centre, its stretch, and how it differs from a bell."""

MOMENTS = 2 + 3 + 4
"""What an image says of its shape: centre, stretch, and the third moments along its own axes."""


class Shape(nn.Module):
    """Numbers (B, NUMBERS), all of order one -> shapes (B, 609) whose sum is one."""

    def __init__(self, camera: Camera) -> None:
        super().__init__()
        self.register_buffer("places", torch.from_numpy(camera.to_unit()).float(), persistent=False)

    def forward(self, numbers: Tensor) -> Tensor:
        centre, stretch, bends, leans = torch.split(numbers, [2, 3, BENDS, LEANS], dim=1)
        outwards, aside = _turned(0.5 * centre, self.get_buffer("places"))
        along, across = _stretched(outwards, aside, MOST_STRETCH * torch.tanh(stretch / MOST_STRETCH))
        squares = along.square() + across.square()
        # Bounded, so that the bell has the last word far away.
        scale = torch.rsqrt(1 + squares / 4)
        bent = bends[:, :, None].mul(_terms(along * scale, across * scale)).sum(dim=1)
        leant = (leans[:, :1] * along + leans[:, 1:] * across) * torch.rsqrt(1 + squares)
        shape: Tensor = torch.softmax(bent - squares / 2 * torch.exp(-torch.tanh(leant)), dim=1)
        return shape

    def light(self, numbers: Tensor, lost: Tensor, sizes: Tensor) -> Tensor:
        """Shapes of *numbers* as expected light (B, 609): times the sizes (B,), times a factor near one of *lost* (B, 1).

        Cleaning takes light away, so that more must be expected than is to be measured.
        """
        light: Tensor = self(numbers) * (sizes[:, None] * torch.exp(torch.tanh(lost)))
        return light


def moments(light: Tensor, places: Tensor) -> Tensor:
    """Images (B, n) of pixels at *places* (2, n) -> what each says of its shape (B, MOMENTS), all of order one; zeros of a dark one."""
    share = light / light.sum(dim=1, keepdim=True).clamp(min=1)
    centre = share @ places.T
    outwards, aside = _turned(centre, places)
    long = (share * outwards.square()).sum(dim=1) + LEAST_VARIANCE
    wide = (share * aside.square()).sum(dim=1) + LEAST_VARIANCE
    aslant = (share * outwards * aside).sum(dim=1)
    mean, tilt = (long + wide) / 2, torch.stack([long - wide, 2 * aslant], dim=1) / 2
    spread = (tilt.square().sum(dim=1) + (LEAST_VARIANCE / 1000) ** 2).sqrt()
    larger, smaller = torch.log(mean + spread), torch.log((mean - spread).clamp(min=LEAST_VARIANCE / 2))
    direction = tilt / spread[:, None]
    stretch = torch.cat(
        [(-(larger + smaller) / 2 - USUAL_STRETCH)[:, None], -((larger - smaller) / 2)[:, None] * direction], dim=1
    )
    along, across = _stretched(outwards, aside, stretch)
    third = [(share * term).sum(dim=1) for term in (along**3, along**2 * across, along * across**2, across**3)]
    found = torch.cat([2 * centre, stretch, torch.stack(third, dim=1)], dim=1)
    return found * (light.sum(dim=1, keepdim=True) > 0)


def fourth_moments(share: Tensor, found: Tensor, places: Tensor) -> Tensor:
    """Light (B, n) that sums to one, and its moments (B, MOMENTS) -> five fourth moments along its own axes (B, 5).

    Along, across and of both as logarithms; then the two that are odd across, within three.
    """
    outwards, aside = _turned(found[:, :2] / 2, places)
    along, across = _stretched(outwards, aside, found[:, 2:5].clamp(-MOST_STRETCH, MOST_STRETCH))
    aa, cc = along.square(), across.square()
    even = [torch.log((share * term).sum(dim=1).clamp(min=1e-2)) for term in (aa * aa, cc * cc, aa * cc)]
    odd = [(share * along * across * term).sum(dim=1).clamp(-3, 3) for term in (aa, cc)]
    return torch.stack([*even, *odd], dim=1)


def _turned(centre: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Places (2, n) seen from each centre (B, 2), along the way from the camera's middle and across (B, n)."""
    way = centre / (centre.square().sum(dim=1, keepdim=True) + 1e-6).sqrt()
    x, y = places[0] - centre[:, :1], places[1] - centre[:, 1:]
    return x * way[:, :1] + y * way[:, 1:], y * way[:, :1] - x * way[:, 1:]


def _stretched(outwards: Tensor, aside: Tensor, stretch: Tensor) -> tuple[Tensor, Tensor]:
    """Places (B, n) once they are stretched by (B, 3): s about the usual, p and q."""
    size, p, q = (stretch[:, index : index + 1] for index in range(3))
    long = (p.square() + q.square() + 1e-8).sqrt()
    middle = torch.exp((USUAL_STRETCH + size) / 2)
    # Hyperbolic cosine and sine by exponentials, which torch computes itself: its own ones are the system's library's, and bits
    # would differ between nodes of different systems.
    grown, shrunk = torch.expm1(long / 2), torch.expm1(-long / 2)
    even, odd = middle * (1 + (grown + shrunk) / 2), middle * (grown - shrunk) / (2 * long)
    return (even + odd * p) * outwards + odd * q * aside, odd * q * outwards + (even - odd * p) * aside


def _terms(along: Tensor, across: Tensor) -> Tensor:
    """Terms of the first to third degree (B, BENDS, n)."""
    aa, ac, cc = along * along, along * across, across * across
    return torch.stack([along, across, aa, ac, cc, aa * along, aa * across, ac * across, cc * across], dim=1)
