"""What the camera records of expected light, for many images at once: the same rules as in rendering.py, in torch."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.rules import BOUNDARY_LEVEL, NIGHT_SKY_SIGMA, PICTURE_LEVEL, TRIGGER_LEVEL

# The mean of the night sky's light, which is taken off: its counts are Poisson, so the variance is the mean.
NIGHT_SKY = NIGHT_SKY_SIGMA**2


@dataclass(frozen=True)
class Response:
    """One camera's response; *touching* is (609, 609), one where two pixels touch."""

    touching: Tensor

    @classmethod
    def of(cls, camera: Camera) -> Self:
        """The response of *camera*."""
        touching = torch.zeros(PIXELS, PIXELS)
        pairs = torch.from_numpy(camera.pairs)
        touching[pairs[:, 0], pairs[:, 1]] = touching[pairs[:, 1], pairs[:, 0]] = 1.0
        return cls(touching=touching)

    def record(self, light: Tensor, random: torch.Generator) -> Tensor:
        """Expected light (B, 609) -> cleaned images (B, 609); all zero where an image does not trigger."""
        noisy = torch.poisson(light + NIGHT_SKY, generator=random) - NIGHT_SKY
        return self.clean(noisy) * self.triggers(noisy)[:, None]

    def triggers(self, images: Tensor) -> Tensor:
        """Whether two neighbouring pixels are over the trigger level (B,)."""
        over = (images > TRIGGER_LEVEL).float()
        return ((over @ self.touching) * over).any(dim=1)

    def clean(self, images: Tensor) -> Tensor:
        """*images* (B, 609) with everything set to zero but the pictures and their boundaries."""
        return torch.where(self.kept(images), images, 0.0)

    def kept(self, images: Tensor) -> Tensor:
        """Which pixels cleaning keeps (B, 609): a picture with a lit neighbour, and what touches a picture."""
        picture, boundary = images >= PICTURE_LEVEL, images >= BOUNDARY_LEVEL
        near_picture = (picture.float() @ self.touching) > 0
        near_boundary = (boundary.float() @ self.touching) > 0
        return (boundary & near_picture) | (picture & near_boundary)

    def dark_below(self, cleaned: Tensor) -> Tensor:
        """The light that each pixel had less of if it is dark in *cleaned* (B, 609): the boundary level beside a
        picture, else the picture level (a lone picture that was dropped is rare and not thought of).
        """
        near_picture = ((cleaned >= PICTURE_LEVEL).float() @ self.touching) > 0
        return torch.where(near_picture, float(BOUNDARY_LEVEL), float(PICTURE_LEVEL))
