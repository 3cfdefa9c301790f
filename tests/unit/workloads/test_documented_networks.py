"""What the page of the data says of the networks' sizes is so."""

import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from torch import nn

from idleq.workloads.cgan.config import USUAL, TrainConfig, Variant
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.telling import TOLD
from idleq.workloads.cgan.variants import opponents_of
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.spatial import MOMENTS, NUMBERS

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/data.md").read_text()
WORDS = {9: "nine"}


def says(number: int) -> bool:
    """Whether the page has *number* somewhere, not as a part of another one."""
    return re.search(rf"(?<![\d,.]){number:,}(?!,?\d|\.\d)", PAGE) is not None


def parameters(network: nn.Module) -> int:
    return sum(values.numel() for values in network.parameters())


@pytest.mark.parametrize("variant", Variant)
def test_the_page_says_how_many_parameters_a_gan_has(variant: Variant, training_data: TrainingData) -> None:
    config = TrainConfig(steps=1, events=len(training_data.told), batch=16, model=USUAL[variant].model)
    opponents = opponents_of(config, training_data, Camera.load())
    for network in (opponents.generator, opponents.discriminator):
        count = parameters(network)
        assert says(count) or says(round(count, -3)), f"{count:,} parameters, also rounded to thousands"


@pytest.mark.parametrize("number", [TOLD, NUMBERS, MOMENTS])
def test_the_page_says_in_how_many_numbers_a_shower_is_told(number: int) -> None:
    assert f"{number} numbers" in PAGE or f"{WORDS.get(number)} numbers" in PAGE
