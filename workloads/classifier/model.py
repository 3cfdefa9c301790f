"""The CNN on an image's own view, together with its size and its distance from the camera's middle."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from idleq.workloads.classifier.view import CELLS, CHANNELS, NUMBERS, OwnView
from idleq.workloads.iact.camera import Camera
from idleq.workloads.training.dropout import Dropout

# Cells of the last maps along each side: three layers of stride two.
LEFT = CELLS // 8

HIDDEN = 64

GROUPS = 4

# Of the features in front of each dense layer: there are few table rows to learn from, and every image of one is much like the others.
DROPPED = 0.2


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


class Block(nn.Sequential):
    """A convolution whose maps are brought to one scale by each image alone.

    Not by statistics over batches: those of an average of weights would be of none of the networks that it is the average of.
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(before, after, 3, stride=stride, padding=1),
            nn.GroupNorm(GROUPS if after % GROUPS == 0 else 1, after),
            nn.SiLU(),
        )


class Classifier(nn.Module):
    """Images (B, 609) in photo-electrons -> logits (B,), high for a gamma."""

    def __init__(self, size: ModelSize, camera: Camera) -> None:
        super().__init__()
        width = size.width
        self.view = OwnView(camera)
        self.blocks = nn.Sequential(
            Block(CHANNELS, width, 1),
            Block(width, 2 * width, 2),
            Block(2 * width, 3 * width, 2),
            Block(3 * width, 3 * width, 2),
        )
        self.merge = nn.Linear(3 * width * LEFT**2 + NUMBERS, HIDDEN)
        self.hidden = nn.Linear(HIDDEN, HIDDEN)
        self.drop = Dropout(DROPPED)
        self.judge = nn.Linear(HIDDEN, 1)

    def forward(self, images: Tensor) -> Tensor:
        views, numbers = self.view(images)
        seen = torch.cat([self.blocks(views).flatten(1), numbers], dim=1)
        merged = self.drop(silu(self.merge(seen)))
        judged: Tensor = self.judge(self.drop(silu(self.hidden(merged)))).squeeze(1).float()
        return judged
