"""What the camera records of expected light, with a slope: between the generator and the discriminator.

The rules of iact/response.py. Photon counting, the night sky and the cleaning are known and need not be learnt. What is
recorded is exact; the slope is that of what is recorded on average, and only where an image is: cleaning keeps nothing of a
faint pixel that touches no picture, however its light changes a little.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from idleq.workloads.iact.response import NIGHT_SKY, Response
from idleq.workloads.iact.rules import BOUNDARY_LEVEL, PICTURE_LEVEL

LEAST_KEPT = math.ceil(BOUNDARY_LEVEL + NIGHT_SKY) - NIGHT_SKY
"""Counts are whole numbers, of which the night sky's mean is taken off."""


@dataclass(frozen=True)
class Recorded:
    """Cleaned images (B, 609) in photo-electrons, how lit each pixel is (B, 609), and whether they are recorded (B,)."""

    images: Tensor
    lit: Tensor
    is_seen: Tensor


def record(light: Tensor, response: Response) -> Recorded:
    """Expected light (B, 609) -> what is recorded. Draws from torch's own generator."""
    with torch.no_grad():
        known = torch.nan_to_num(light)  # of a training that has diverged nothing can be drawn; its losses tell it
        noisy = torch.poisson((known + NIGHT_SKY).cpu()).to(light.device) - NIGHT_SKY
        kept = response.kept(noisy).float()
        beside = ((noisy * kept >= PICTURE_LEVEL).float() @ response.touching > 0).float()
        spread = (known + NIGHT_SKY).sqrt()
    chance = torch.special.ndtr((light - LEAST_KEPT + 0.5) / spread) * beside
    slope = chance - chance.detach()  # a pixel that comes in brings the least that cleaning keeps
    counted = noisy + (light - light.detach())
    images = counted * kept + slope * LEAST_KEPT
    return Recorded(images=images, lit=kept + slope, is_seen=kept.any(dim=1) & response.triggers(noisy))
