"""What the camera records of light, on the map and with a slope: between the generator and the discriminator.

The rules of iact/response.py. Photon counting, the night sky and the cleaning are known and need not be learnt: a
generator that has to imitate each pixel's noise spends itself on that. Counts and the cleaning are exact; only the
slope is an approximation: a count moves with its mean as a normal number of the same variance would, and a pixel near
the level at which it is kept comes in gradually.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from idleq.workloads.iact.camera import NEIGHBOUR_STEPS
from idleq.workloads.iact.response import NIGHT_SKY
from idleq.workloads.iact.rules import BOUNDARY_LEVEL, PICTURE_LEVEL
from idleq.workloads.iact.scaling import to_network

SOFTNESS = 2.0
"""In photo-electrons: over how wide a range about its level a pixel comes in, for the slope."""


def recorded(light: Tensor, mask: Tensor) -> Tensor:
    """Expected light and the map's mask, (B, 1, 32, 32) and (1, 1, 32, 32) -> cleaned maps on the networks' scale.

    Nothing is asked of the trigger. Draws from torch's own generator.
    """
    mean = light + NIGHT_SKY
    with torch.no_grad():
        counts = torch.poisson(mean) * mask
        slope = 1 + (counts - mean) / (2 * mean)
        noisy = (counts - NIGHT_SKY) * mask
        picture, boundary = noisy >= PICTURE_LEVEL, noisy >= BOUNDARY_LEVEL
        near_picture, near_boundary = _touches(picture), _touches(boundary)
        cleaned = noisy * ((boundary & near_picture) | (picture & near_boundary))
        level = torch.where(near_picture, float(BOUNDARY_LEVEL), float(PICTURE_LEVEL))
    moving = noisy + (light - light.detach()) * slope * mask
    # On the networks' scale, on which a pixel that comes in is a small step: in light it would outweigh all bright ones.
    gradual = (to_network(moving) + 1) * torch.sigmoid((moving - level) / SOFTNESS)
    return to_network(cleaned) + (gradual - gradual.detach())


def _touches(pixels: Tensor) -> Tensor:
    """Which pixels of a map touch one of *pixels*, (B, 1, 32, 32)."""
    return conv2d(pixels.float(), _NEIGHBOURS, padding=1) > 0


def _neighbours() -> Tensor:
    kernel = torch.zeros(1, 1, 3, 3)
    for row, column in NEIGHBOUR_STEPS:
        kernel[0, 0, 1 + row, 1 + column] = 1
    return kernel


_NEIGHBOURS = _neighbours()
