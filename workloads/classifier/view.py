"""An image as its own shower sees it: all showers lie alike there, wherever they fell on the camera.

The middle of a view is the middle of the light, and its first axis the way there from the camera's middle; it is mirrored
where the shower leans to the other side. So a view is the same for a shower that is turned about the camera's middle or
seen in a mirror, which says nothing of what it was, and a network need not learn that. What is lost with the place, the
distance from the camera's middle, is told as a number.

Between pixels light is taken as linear over the triangle of the three that are nearest, which knows no direction either.
The oblique map is the camera's plane made aslant: its triangles are halves of squares of four cells.
"""

import numpy as np
import torch
from torch import Tensor, nn

from idleq.workloads.iact.camera import SIDE, Camera

CELLS = 24
CELL_MM = 20.0

# Logarithm of light, share of the light, whether the camera is there.
CHANNELS = 3

# Dark cells about the map, of which all that lies beyond is taken to be.
BORDER = 2
BORDERED = SIDE + 2 * BORDER

# Size and distance.
NUMBERS = 2

# Scales that bring logarithms of light, shares, sizes and distances to about one, the same for every training set. Trained
# weights fit no others; other networks have their own.
LOG_LIGHT = 3.0
SHARE = 0.1
USUAL_LOG_SIZE, SPREAD_LOG_SIZE = 2.8, 0.5
USUAL_MM, SPREAD_MM = 190.0, 70.0


class OwnView(nn.Module):
    """Images (B, 609) in photo-electrons -> views (B, CHANNELS, CELLS, CELLS) and numbers (B, NUMBERS)."""

    def __init__(self, camera: Camera) -> None:
        super().__init__()
        places = torch.from_numpy(np.stack([camera.x_mm, camera.y_mm]))
        cells = torch.from_numpy((camera.row + BORDER) * BORDERED + camera.column + BORDER)
        seen = torch.zeros(BORDERED * BORDERED)
        seen[cells] = 1
        axis = (torch.arange(CELLS) - (CELLS - 1) / 2) * CELL_MM
        self.to_map = _to_map(camera)
        for name, values in {
            "places": places.float(),
            "cells": cells,
            "seen": seen,
            "along": axis.reshape(1, CELLS, 1),
            "across": axis.reshape(1, 1, CELLS),
        }.items():
            self.register_buffer(name, values, persistent=False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        size = images.sum(dim=1, keepdim=True).clamp(min=1)
        middle, way, side = self._lie(images / size)
        light, is_camera = self._between_pixels(images, *self._cells(middle, way, side))
        share = torch.expm1(light) / size[:, :, None]
        views = torch.stack([light / LOG_LIGHT, share / SHARE, is_camera], dim=1)
        distance = middle.square().sum(dim=1, keepdim=True).sqrt()
        numbers = [
            (torch.log10(size) - USUAL_LOG_SIZE) / SPREAD_LOG_SIZE,
            (distance - USUAL_MM) / SPREAD_MM,
        ]
        return views, torch.cat(numbers, dim=1)

    def _lie(self, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The middle of the light (B, 2), the way to it (B, 2), and the side to which it leans (B, 1): 1 or -1."""
        x, y = self.get_buffer("places")
        middle = torch.stack([(share * x).sum(dim=1), (share * y).sum(dim=1)], dim=1)
        # A millimetre keeps a shower in the very middle, which comes from nowhere, from a division by zero.
        way = middle / (middle.square().sum(dim=1, keepdim=True) + 1).sqrt()
        dx, dy = x - middle[:, :1], y - middle[:, 1:]
        along = dx * way[:, :1] + dy * way[:, 1:]
        across = dy * way[:, :1] - dx * way[:, 1:]
        leans = (share * along * across).sum(dim=1, keepdim=True)
        return middle, way, torch.where(leans < 0, -1.0, 1.0)

    def _cells(self, middle: Tensor, way: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
        """The row and the column of the map at which each cell of the views lies (B, CELLS, CELLS)."""
        along, across = self.get_buffer("along"), self.get_buffer("across") * side[:, :, None]
        (x, y), (to_x, to_y) = middle[:, :, None, None].unbind(1), way[:, :, None, None].unbind(1)
        x, y = x + along * to_x - across * to_y, y + along * to_y + across * to_x
        row, column = (by_x * x + by_y * y + start for by_x, by_y, start in self.to_map)
        return row, column

    def _between_pixels(self, images: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of light there, and how much of the camera is there."""
        maps = images.new_zeros(len(images), BORDERED * BORDERED)
        maps[:, self.get_buffer("cells")] = torch.log1p(images)
        seen = self.get_buffer("seen").expand(len(images), -1)
        row, column = (cell.clamp(-BORDER, SIDE).flatten(1) for cell in (row, column))
        whole_row, whole_column = row.floor(), column.floor()
        down, right = row - whole_row, column - whole_column
        first = ((whole_row + BORDER) * BORDERED + whole_column + BORDER).long()
        # The first and the last of a square's cells touch; the third is the one on whose side of the line between them it is.
        third = first + torch.where(down > right, BORDERED, 1)
        cells = torch.stack([first, third, first + BORDERED + 1])
        parts = torch.stack([1 - torch.maximum(down, right), (down - right).abs(), torch.minimum(down, right)])
        light, is_camera = (
            torch.stack([map_.gather(1, corner) for corner in cells]).mul(parts).sum(dim=0) for map_ in (maps, seen)
        )
        return light.reshape(-1, CELLS, CELLS), is_camera.reshape(-1, CELLS, CELLS)


def _to_map(camera: Camera) -> list[tuple[float, float, float]]:
    """Of a row and of a column of the map: what a millimetre of x and of y adds to it, and what it is in the camera's middle."""
    places = np.stack([camera.x_mm, camera.y_mm, np.ones(len(camera.x_mm))], axis=1)
    found, *_ = np.linalg.lstsq(places, np.stack([camera.row, camera.column], axis=1).astype(float))
    return [(float(by_x), float(by_y), float(start)) for by_x, by_y, start in found.T]
