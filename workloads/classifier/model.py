"""The CNN on the oblique 32x32 map.

On the map a pixel's six neighbours lie within three by three cells, so that an ordinary convolution sees them; the two
cells that are no neighbours are masked out of every kernel of the first layer, where the camera's geometry still holds.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, silu

from idleq.workloads.iact.camera import NEIGHBOUR_STEPS, SIDE, Camera
from idleq.workloads.iact.scaling import to_network

# Light, whether the pixel is lit, and the two coordinates, without which the camera's centre would be nowhere.
CHANNELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """What must be known to build the model that fits given weights."""

    width: int

    def to_dict(self) -> dict[str, int]:
        """Plain values, for a file's header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, int]) -> Self:
        """The inverse of `to_dict`."""
        return cls(width=values["width"])


class HexConv(nn.Module):
    """A convolution over a pixel and its six neighbours."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.square = nn.Conv2d(before, after, 3, padding=1)
        touching = torch.zeros(3, 3)
        for row, column in ((0, 0), *NEIGHBOUR_STEPS):
            touching[row + 1, column + 1] = 1
        self.register_buffer("touching", touching, persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        return conv2d(maps, self.square.weight * self.get_buffer("touching"), self.square.bias, padding=1)


class Classifier(nn.Module):
    """Images (B, 609) in photo-electrons -> logits (B,), high for a gamma."""

    def __init__(self, size: ModelSize, camera: Camera) -> None:
        super().__init__()
        width = size.width
        self.first = HexConv(CHANNELS, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.SiLU())
            for before, after in ((width, 2 * width), (2 * width, 4 * width), (4 * width, 4 * width))
        )
        self.merge = nn.Linear(4 * width * 4 * 4 + 1, 64)
        self.drop = nn.Dropout(0.2)
        self.judge = nn.Linear(64, 1)
        cells = torch.from_numpy(camera.row * SIDE + camera.column)
        self.register_buffer("cells", cells, persistent=False)
        places = torch.zeros(2, SIDE * SIDE)
        places[:, cells] = torch.from_numpy(camera.to_unit()).float()
        self.register_buffer("places", places.reshape(1, 2, SIDE, SIDE), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        flat = torch.zeros(len(images), SIDE * SIDE)
        flat[:, self.get_buffer("cells")] = images
        light = flat.reshape(-1, 1, SIDE, SIDE)
        places = self.get_buffer("places").expand(len(images), -1, -1, -1)
        maps = silu(self.first(torch.cat([to_network(light), (light > 0).float(), places], dim=1)))
        for block in self.blocks:
            maps = block(maps)  # (B, ., 16, 16), (B, ., 8, 8), (B, 4w, 4, 4)
        size = torch.log10(images.sum(dim=1, keepdim=True).clamp(min=1)) - 2.5
        merged = self.drop(silu(self.merge(torch.cat([maps.flatten(1), size], dim=1))))
        judged: Tensor = self.judge(merged).squeeze(1).float()
        return judged
