"""In which numbers the networks' layers are evaluated while they are trained."""

import argparse
from enum import StrEnum
from typing import TYPE_CHECKING

from idleq.workloads.training.choices import add_choice

if TYPE_CHECKING:
    import torch


class Precision(StrEnum):
    """A part of what a training is: its checkpoints can be continued with the same only."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"

    def autocast(self, device_type: str = "cpu") -> "torch.autocast":
        """What forward passes and losses on such a device lie in. Weights, gradients, optimisers and averages are float32 all the same.

        No loss needs scaling: bfloat16 has float32's range.
        """
        import torch

        return torch.autocast(device_type, torch.bfloat16, enabled=self is Precision.BFLOAT16)


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Add `--precision`."""
    add_choice(
        parser,
        "--precision",
        Precision.FLOAT32,
        "numbers in which layers are evaluated; bfloat16 is quicker on CPUs that have it (default float32)",
    )
