"""What the discriminator is shown of made light is what the camera would record of it, and it says which way light should go."""

import math

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import numpy as np
import torch
from torch import Tensor

from idleq.workloads.cgan.recording import recorded
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.response import NIGHT_SKY, Response
from idleq.workloads.iact.scaling import MAX_LIGHT, to_light

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERA = Camera.load()
MASK = torch.from_numpy(CAMERA.mask).reshape(1, 1, 32, 32)


def blobs(events: int) -> Tensor:
    """Light of round blobs somewhere in the camera, also at its edge, (events, 1, 32, 32)."""
    random = np.random.default_rng(5)
    lights = []
    for _ in range(events):
        x, y = random.uniform(-400, 400, 2)
        distance = np.hypot(CAMERA.x_mm - x, CAMERA.y_mm - y)
        lights.append(random.uniform(20, 400) * np.exp(-((distance / random.uniform(20, 90)) ** 2)))
    return torch.from_numpy(CAMERA.to_map(np.stack(lights)).astype(np.float32))[:, None]


def test_light_is_recorded_on_the_map_as_by_the_camera() -> None:
    light = blobs(400)
    torch.manual_seed(3)
    counts = torch.poisson(light + NIGHT_SKY)
    noisy = torch.from_numpy(CAMERA.from_map(counts[:, 0].numpy())) - NIGHT_SKY
    expected = Response.of(CAMERA).clean(noisy)
    torch.manual_seed(3)
    maps = to_light(recorded(light, MASK))
    found = torch.from_numpy(CAMERA.from_map(maps[:, 0].numpy()))
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert maps[:, 0, ~MASK[0, 0]].abs().max() < 1e-6


def test_more_light_is_wanted_where_more_is_asked_of_the_image_also_in_a_dark_pixel() -> None:
    light = blobs(50).requires_grad_()
    torch.manual_seed(3)
    seen = recorded(light, MASK)
    seen.sum().backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert light.grad is not None
    image = to_light(seen.detach())
    slope = light.grad * (1 + image) * math.log1p(MAX_LIGHT) / 2  # of the image itself
    assert float(slope[image > 30].mean()) == pytest.approx(1.0, abs=0.1)
    almost = (image < 1) & (light.detach() > 5) & MASK
    assert float((slope[almost] > 0.01).float().mean()) > 0.5
    assert not slope[(~MASK).expand_as(slope)].any()
