"""What the discriminator is told of an image: the numbers by which showers are told apart, in the shower's own frame.

Convolutions measure none of them well: a width of half a pixel is in how the light is shared by few pixels. None depends on
where around the camera's middle a shower lies, which is drawn evenly and not learnt.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from idleq.workloads.iact.spatial import MOMENTS, fourth_moments, moments

# Of the moments all but the place: the stretch (s, p, q) and the third ones; then the fourth ones; then the outline.
SIZES, SHAPES, FOURTH, OUTLINE = 7, MOMENTS - 2, 5, 3
TOLD = SIZES + SHAPES + FOURTH + OUTLINE
"""Size, lit pixels, brightest pixel, the share of the two and of the four brightest, evenness, distance; then moments;
then logarithms of length and width, and the cosine of twice the angle to the way from the middle."""

# Those that change their sign in a mirror: q, and the moments that are odd across the axis.
MIRRORED = (SIZES + 2, SIZES + 4, SIZES + 6, SIZES + SHAPES + 3, SIZES + SHAPES + 4)

MEASURED_ON = 5_000
FURTHEST = 5.0
"""In standard deviations: what is further off is not told as further still."""


def tell(images: Tensor, lit: Tensor, places: Tensor) -> Tensor:
    """Images (B, n) of pixels at *places* (2, n), and how lit each pixel is (B, n) -> numbers (B, TOLD)."""
    found = moments(images, places)
    size = images.sum(dim=1).clamp(min=1)
    share = images / size[:, None]
    four = share.topk(4, dim=1).values
    sizes = (
        torch.log(size),
        torch.log(lit.sum(dim=1).clamp(min=1)),
        torch.log((four[:, 0] * size).clamp(min=1)),
        torch.log((four[:, 0] + four[:, 1]).clamp(min=1e-3)),
        torch.log(four.sum(dim=1).clamp(min=1e-3)),
        torch.log(share.square().sum(dim=1).clamp(min=1e-4)),
        (found[:, :2].square().sum(dim=1) + 1e-4).sqrt(),
    )
    s, p, q = found[:, 2], found[:, 3], found[:, 4]
    longer = (p.square() + q.square() + 1e-4).sqrt()
    outline = torch.stack([longer - s, -longer - s, p / longer], dim=1)
    return torch.cat([torch.stack(sizes, dim=1), found[:, 2:], fourth_moments(share, found, places), outline], dim=1)


def told_of(images: Tensor, places: Tensor) -> Tensor:
    """What is told of true images (n, 609), taken some at a time (n, TOLD)."""
    return torch.cat([tell(some, (some > 0).float(), places) for some in torch.split(images, 1_000)])


@dataclass(frozen=True)
class Scale:
    """The means and the standard deviations of what is told of the training set, (TOLD,) each."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, told: Tensor) -> Self:
        """Measured on the first of what is *told* (n, TOLD); a mirror must not move what it mirrors."""
        some = told[:MEASURED_ON]
        return cls(mean=torch.where(_turns(told), 0.0, some.mean(dim=0)), deviation=some.std(dim=0).clamp(min=1e-3))


def mirrored(told: Tensor, sides: Tensor) -> Tensor:
    """*told* (B, TOLD) as seen in a mirror where *sides* (B,) is -1: nature knows no side, so both are as likely."""
    return told * torch.where(_turns(told), sides[:, None], 1.0)


def _turns(told: Tensor) -> Tensor:
    """Which of what is *told* changes its sign in a mirror (TOLD,)."""
    return torch.tensor([number in MIRRORED for number in range(TOLD)]).to(told.device)
