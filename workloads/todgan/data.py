"""TODs as the networks see them."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from idleq.workloads.errors import DamagedData
from idleq.workloads.tods.simulation import Tods
from idleq.workloads.training.device import CPU

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Watts to numbers of order one: (watts - offset) / width."""

    offset_w: float
    width_w: float

    @classmethod
    def of(cls, tods: Array) -> Self:
        """The mean and the spread of all samples."""
        watts = tods.astype(np.float64)  # a square of these is below what four bytes can hold
        return cls(offset_w=float(watts.mean()), width_w=float(watts.std()))

    def to_network(self, tods: Array) -> Tensor:
        """Watts -> numbers of order one."""
        scaled = (tods.astype(np.float64) - self.offset_w) / self.width_w
        return torch.from_numpy(scaled.astype(np.float32))

    def to_watts(self, values: Tensor) -> Array:
        """The inverse of `to_network`."""
        watts: Array = values.cpu().numpy().astype(np.float64) * self.width_w + self.offset_w
        return watts.astype(np.float32)


@dataclass(frozen=True)
class TrainingTods:
    """Scaled TODs with their hit counts."""

    tods: Tensor  # (count, 1060)
    hits: Tensor  # (count,) int64
    scale: Scale
    digest: str

    @classmethod
    def prepare(cls, tods: Tods, digest: str, device: torch.device = CPU) -> Self:
        """*tods* on their own scale, all of them on the *device*."""
        scale = Scale.of(tods.tods)
        if scale.width_w <= 1e-9 * abs(scale.offset_w):  # no more than a mean's own rounding
            raise DamagedData("every sample of the TODs is the same: there is nothing to learn from them")
        return cls(
            tods=scale.to_network(tods.tods).to(device),
            hits=torch.from_numpy(tods.hits.astype(np.int64)).to(device),
            scale=scale,
            digest=digest,
        )

    def batch(self, chosen: Array) -> tuple[Tensor, Tensor]:
        """TODs (B, 1060) and hit counts (B,) of those *chosen*."""
        index = torch.from_numpy(chosen)
        return self.tods[index], self.hits[index]
