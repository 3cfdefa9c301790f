"""Shapes of showers as bells that are moved, stretched and bent: from few numbers to a shape, and what an image says of them.

The pixels' places are brought to where a shower's own axes are, and its light is smooth there: a network that gives the
numbers need not learn anew what a shower is at each place of the camera (after the spatial VAE, Bepler et al.,
arXiv:1909.11663, section 3, which moves and turns; here a shape is stretched as well).

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

NUMBERS = 2 + 3 + BENDS
"""What a shape is made of: its centre, its stretch, and how it differs from a bell."""

MOMENTS = 2 + 3 + 4
"""What an image says of its shape: centre, stretch, and the third moments along its own axes."""


class Shape(nn.Module):
    """Numbers (B, NUMBERS), all of order one -> shapes (B, 609) whose sum is one."""

    def __init__(self, camera: Camera) -> None:
        super().__init__()
        self.register_buffer("places", torch.from_numpy(camera.to_unit()).float(), persistent=False)

    def forward(self, numbers: Tensor) -> Tensor:
        centre, stretch, bends = torch.split(numbers, [2, 3, BENDS], dim=1)
        x, y = self.get_buffer("places")
        within = MOST_STRETCH * torch.tanh(stretch / MOST_STRETCH)
        along, across = _stretched(x - 0.5 * centre[:, :1], y - 0.5 * centre[:, 1:], within)
        squares = along.square() + across.square()
        # Bounded, so that the bell has the last word far away.
        scale = torch.rsqrt(1 + squares / 4)
        bent = bends[:, :, None].mul(_terms(along * scale, across * scale)).sum(dim=1)
        shape: Tensor = torch.softmax(bent - squares / 2, dim=1)
        return shape


def moments(light: Tensor, places: Tensor) -> Tensor:
    """Images (B, n) of pixels at *places* (2, n) -> what each says of its shape (B, MOMENTS), all of order one; zeros of a dark one."""
    x, y = places
    share = light / light.sum(dim=1, keepdim=True).clamp(min=1)
    middle_x, middle_y = share @ x, share @ y
    from_x, from_y = x - middle_x[:, None], y - middle_y[:, None]
    xx = (share * from_x.square()).sum(dim=1) + LEAST_VARIANCE
    yy = (share * from_y.square()).sum(dim=1) + LEAST_VARIANCE
    xy = (share * from_x * from_y).sum(dim=1)
    mean, tilt, half = (xx + yy) / 2, torch.stack([xx - yy, 2 * xy], dim=1) / 2, LEAST_VARIANCE / 1000
    spread = (tilt.square().sum(dim=1) + half**2).sqrt()
    larger, smaller = torch.log(mean + spread), torch.log((mean - spread).clamp(min=LEAST_VARIANCE / 2))
    direction = tilt / spread[:, None]
    stretch = torch.cat(
        [(-(larger + smaller) / 2 - USUAL_STRETCH)[:, None], -((larger - smaller) / 2)[:, None] * direction], dim=1
    )
    along, across = _stretched(from_x, from_y, stretch)
    third = [(share * term).sum(dim=1) for term in (along**3, along**2 * across, along * across**2, across**3)]
    found = torch.cat([2 * torch.stack([middle_x, middle_y], dim=1), stretch, torch.stack(third, dim=1)], dim=1)
    return found * (light.sum(dim=1, keepdim=True) > 0)


def about_the_middle(said: Tensor) -> Tensor:
    """Moments (B, MOMENTS) -> the distance from the camera's middle, and the stretch along and aslant to the way there (B, 3).

    Showers point to where they come from: Hillas's alpha.
    """
    x, y, _, p, q = said[:, :5].unbind(dim=1)
    distance = (x.square() + y.square() + 1e-4).sqrt()
    even, odd = (x.square() - y.square()) / distance.square(), 2 * x * y / distance.square()
    return torch.stack([distance, p * even + q * odd, q * even - p * odd], dim=1)


def _stretched(x: Tensor, y: Tensor, stretch: Tensor) -> tuple[Tensor, Tensor]:
    """Places (B, n) along and across axes that are stretched by (B, 3): s about the usual, p and q."""
    size, p, q = (stretch[:, index : index + 1] for index in range(3))
    long = (p.square() + q.square() + 1e-8).sqrt()
    middle = torch.exp((USUAL_STRETCH + size) / 2)
    even, odd = middle * torch.cosh(long / 2), middle * torch.sinh(long / 2) / long
    return (even + odd * p) * x + odd * q * y, odd * q * x + (even - odd * p) * y


def _terms(along: Tensor, across: Tensor) -> Tensor:
    """Terms of the first to third degree (B, BENDS, n)."""
    aa, ac, cc = along * along, along * across, across * across
    return torch.stack([along, across, aa, ac, cc, aa * along, aa * across, ac * across, cc * across], dim=1)
