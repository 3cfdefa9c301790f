"""Few numbers make the shape of any shower, and an image says the numbers that made it."""

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import Tensor

from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.spatial import LEANS, MOMENTS, NUMBERS, Shape, moments

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERA = Camera.load()
PLACES = torch.from_numpy(CAMERA.to_unit()).float()


def bells(count: int) -> Tensor:
    """Numbers of bells of several pixels inside the camera."""
    numbers = torch.zeros(count, NUMBERS)
    random = torch.Generator().manual_seed(3)
    numbers[:, :5] = torch.rand(count, 5, generator=random) * 2 - 1
    numbers[:, :2] *= 0.7  # so that none is cut at the camera's edge
    return numbers


def test_a_shape_sums_to_one_whatever_the_numbers() -> None:
    numbers = 30 * torch.randn(200, NUMBERS, generator=torch.Generator().manual_seed(1))
    shapes = Shape(CAMERA)(numbers)
    assert shapes.shape == (200, PIXELS)
    assert torch.allclose(shapes.sum(dim=1), torch.ones(200), atol=1e-4)


def test_the_moments_of_a_bell_are_the_numbers_that_made_it() -> None:
    numbers = bells(100)
    found = moments(1000 * Shape(CAMERA)(numbers), PLACES)
    assert found.shape == (100, MOMENTS)
    assert torch.allclose(found[:, :2], numbers[:, :2], atol=0.02)
    assert torch.allclose(
        found[:, 2:5], numbers[:, 2:5], atol=0.25
    )  # a bell that is cut at the camera's edge is smaller
    assert float((found[:, 2:5] - numbers[:, 2:5]).abs().median()) < 0.1


def test_a_shower_that_is_turned_about_the_camera_s_middle_keeps_its_numbers() -> None:
    numbers = bells(50)
    turned = numbers.clone()
    turned[:, 0], turned[:, 1] = -numbers[:, 1], numbers[:, 0]
    one, other = (moments(1000 * Shape(CAMERA)(given), PLACES) for given in (numbers, turned))
    assert torch.allclose(other[:, 0], -one[:, 1], atol=0.02)
    assert torch.allclose(other[:, 2:5], one[:, 2:5], atol=0.3)
    assert float((other[:, 2:5] - one[:, 2:5]).abs().median()) < 0.05


def test_the_light_of_a_shape_that_leans_has_its_tail_on_that_side() -> None:
    numbers = bells(50)
    numbers[:, :2] *= 0.5
    numbers[:, -LEANS] = torch.linspace(-1, 1, 50)
    along = moments(1000 * Shape(CAMERA)(numbers), PLACES)[:, 5]
    assert along[:20].median() < -0.2
    assert along[-20:].median() > 0.2


def test_a_dark_image_and_one_of_one_pixel_have_moments_too() -> None:
    light = torch.zeros(2, PIXELS, requires_grad=True)
    one = light + torch.nn.functional.one_hot(torch.tensor([0, 5]), PIXELS) * torch.tensor([[0.0], [50.0]])
    found = moments(one, PLACES)
    found.sum().backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert light.grad is not None
    assert torch.isfinite(found).all()
    assert torch.isfinite(light.grad).all()
    assert not found[0].any()
