"""An image seen as its own shower sees it: the same however the shower is turned about the camera's middle, or mirrored."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import Tensor

from idleq.workloads.classifier.view import (
    CELL_MM,
    CELLS,
    CHANNELS,
    NUMBERS,
    SHARE,
    SPREAD_LOG_SIZE,
    SPREAD_MM,
    USUAL_LOG_SIZE,
    USUAL_MM,
    OwnView,
)
from idleq.workloads.iact.camera import PIXEL_AREA_MM2, PIXELS, Camera
from idleq.workloads.training.precision import Precision

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERA = Camera.load()
VIEW = OwnView(CAMERA)
COUNT = 60

# The pixels about the middle whose cells are pixels again however they are turned.
MIDDLE_MM = 330


def showers() -> Tensor:
    """Bells of several pixels, ending where pixels no longer turn into pixels."""
    random = np.random.default_rng(5)
    far, turned, to = (
        random.uniform(60, 250, COUNT),
        random.uniform(0, 2 * np.pi, COUNT),
        random.uniform(0, 3, COUNT),
    )
    dx = CAMERA.x_mm - (far * np.cos(turned))[:, None]
    dy = CAMERA.y_mm - (far * np.sin(turned))[:, None]
    along = dx * np.cos(to)[:, None] + dy * np.sin(to)[:, None]
    across = dy * np.cos(to)[:, None] - dx * np.sin(to)[:, None]
    light = np.exp(-((along / 60) ** 2) / 2 - (across / 25) ** 2 / 2 + along / 80) * random.uniform(20, 300, (COUNT, 1))
    kept = (light > 1) & (np.hypot(CAMERA.x_mm, CAMERA.y_mm) < MIDDLE_MM)
    return torch.from_numpy(np.where(kept, light, 0)).float()


def moved(images: Tensor, sixths: int, *, mirrored: bool) -> Tensor:
    """*images* turned by so many sixths about the middle pixel, and mirrored: light goes from pixel to pixel, none is lost."""
    middle = int(np.argmin(np.hypot(CAMERA.x_mm, CAMERA.y_mm)))
    r = CAMERA.row - CAMERA.row[middle]
    q = CAMERA.column - CAMERA.column[middle] - r
    pixel_at = {place: pixel for pixel, place in enumerate(zip(q.tolist(), r.tolist(), strict=True))}
    if mirrored:
        q, r = r, q
    for _ in range(sixths):
        q, r = -r, q + r
    places = list(zip(q.tolist(), r.tolist(), strict=True))
    kept = [pixel for pixel, place in enumerate(places) if place in pixel_at]
    to = torch.zeros_like(images)
    to[:, [pixel_at[places[pixel]] for pixel in kept]] = images[:, kept]
    assert torch.allclose(to.sum(dim=1), images.sum(dim=1))
    return to


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("sixths", range(6))
def test_a_shower_that_is_turned_or_mirrored_gives_the_same_view(sixths: int, *, mirrored: bool) -> None:
    images = showers()
    views, numbers = VIEW(images)
    views_moved, numbers_moved = VIEW(moved(images, sixths, mirrored=mirrored))
    assert views.shape == (COUNT, CHANNELS, CELLS, CELLS)
    assert numbers.shape == (COUNT, NUMBERS)
    # The third channel is the camera itself, whose outline is no hexagon.
    assert torch.allclose(views[:, :2], views_moved[:, :2], atol=5e-3)
    assert torch.allclose(numbers, numbers_moved, atol=1e-3)


def test_the_middle_of_a_view_is_that_of_the_light_which_leans_to_one_side() -> None:
    share = VIEW(showers())[0][:, 1] * SHARE
    axis = (torch.arange(CELLS) - (CELLS - 1) / 2) * CELL_MM
    total = share.sum(dim=(1, 2))
    along = (share * axis[:, None]).sum(dim=(1, 2)) / total
    across = (share * axis[None, :]).sum(dim=(1, 2)) / total
    leans = (share * axis[:, None] * axis[None, :]).sum(dim=(1, 2))
    assert along.abs().max() < CELL_MM / 2
    assert across.abs().max() < CELL_MM / 2
    assert (leans > -0.02 * leans.abs().max()).all()
    # What a cell holds is light of a pixel, and a pixel is as large as several cells.
    assert torch.allclose(total * CELL_MM**2 / PIXEL_AREA_MM2, torch.ones(COUNT), atol=0.2)


def test_the_numbers_are_size_and_distance() -> None:
    images = showers()
    size, distance = VIEW(images)[1].T
    share = images / images.sum(dim=1, keepdim=True)
    x, y = (share @ torch.from_numpy(places).float() for places in (CAMERA.x_mm, CAMERA.y_mm))
    assert torch.allclose(size * SPREAD_LOG_SIZE + USUAL_LOG_SIZE, torch.log10(images.sum(dim=1)), atol=1e-4)
    assert torch.allclose(distance * SPREAD_MM + USUAL_MM, torch.hypot(x, y), atol=0.05)


def test_a_view_beyond_the_edge_says_so() -> None:
    images = torch.zeros(2, PIXELS)
    images[0, int(np.argmin(np.hypot(CAMERA.x_mm, CAMERA.y_mm)))] = 100
    images[1, int(np.argmax(np.hypot(CAMERA.x_mm, CAMERA.y_mm)))] = 100
    inside, at_the_edge = VIEW(images)[0][:, 2]
    assert inside.min() > 0.99
    assert at_the_edge[0].min() > 0.99  # on the way to the camera's middle
    assert at_the_edge[-1].max() < 0.01


def test_an_image_without_light_has_a_view() -> None:
    views, numbers = VIEW(torch.zeros(1, PIXELS))
    assert torch.isfinite(views).all()
    assert torch.isfinite(numbers).all()


def test_a_view_is_exact_in_bfloat16_too() -> None:
    images = showers()
    # A place that went through a product of matrices would be known to a pixel at best.
    with Precision.BFLOAT16.autocast():
        views, numbers = VIEW(images)
    assert torch.equal(views, VIEW(images)[0])
    assert torch.equal(numbers, VIEW(images)[1])
