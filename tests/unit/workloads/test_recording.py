"""What the discriminator is told of made light is what the camera would record of it, and it says which way light should go."""

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import numpy as np
import torch
from scipy.stats import poisson
from torch import Tensor

from idleq.workloads.cgan.recording import record
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.response import NIGHT_SKY, Response
from idleq.workloads.iact.rules import BOUNDARY_LEVEL

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERA = Camera.load()
RESPONSE = Response.of(CAMERA)


def blobs(events: int) -> Tensor:
    """Light of round blobs somewhere in the camera, also at its edge, (events, 609)."""
    random = np.random.default_rng(5)
    lights = []
    for _ in range(events):
        x, y = random.uniform(-400, 400, 2)
        distance = np.hypot(CAMERA.x_mm - x, CAMERA.y_mm - y)
        lights.append(random.uniform(20, 400) * np.exp(-((distance / random.uniform(20, 90)) ** 2)))
    return torch.from_numpy(np.stack(lights).astype(np.float32))


def test_light_is_recorded_as_by_the_camera() -> None:
    light = blobs(400)
    torch.manual_seed(3)
    noisy = torch.poisson(light + NIGHT_SKY) - NIGHT_SKY
    expected, triggers = RESPONSE.clean(noisy), RESPONSE.triggers(noisy)
    torch.manual_seed(3)
    recorded = record(light, RESPONSE)
    assert torch.allclose(recorded.images, expected, rtol=1e-5, atol=1e-4)
    assert torch.equal(recorded.lit, (expected > 0).float())
    assert torch.equal(recorded.is_seen, expected.any(dim=1) & triggers)
    assert bool((expected.any(dim=1) & ~triggers).any())


def test_more_light_is_wanted_where_more_is_asked_of_the_image_also_in_a_dark_pixel_beside_it() -> None:
    light = blobs(100).requires_grad_()
    recorded = record(light, RESPONSE)
    image = recorded.images.detach()
    (slope,) = torch.autograd.grad(recorded.images.sum(), light, retain_graph=True)
    assert float(slope[image > 40].mean()) == pytest.approx(1.0, abs=0.05)
    touches = (image >= 14).float() @ RESPONSE.touching > 0
    almost = (image == 0) & touches & (light.detach() > 3)
    assert almost.sum() > 50
    assert float((slope[almost] > 0.1).float().mean()) > 0.95
    assert not slope[(image == 0) & ~touches].any()
    (more_lit,) = torch.autograd.grad(recorded.lit.sum(), light)
    assert float((more_lit[almost] > 0.01).float().mean()) > 0.95


def test_the_slope_is_that_of_many_recordings() -> None:
    """How much is recorded of a little more light, from the slope and from recording both."""
    light = blobs(60).requires_grad_()
    more = 0.03 * light.detach()
    torch.manual_seed(3)
    seen, told = torch.zeros(60), torch.zeros(60)
    for _ in range(300):
        with torch.no_grad():
            seen += record(light + more, RESPONSE).images.sum(dim=1) - record(light - more, RESPONSE).images.sum(dim=1)
        (slope,) = torch.autograd.grad(record(light, RESPONSE).images.sum(), light)
        told += 2 * (slope * more).sum(dim=1)
    bright = light.detach().sum(dim=1) > 300
    assert bright.sum() >= 15
    assert float(told[bright].sum() / seen[bright].sum()) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("middle", [7.0, 12.0, 18.0])
def test_the_slope_of_a_medium_pixel_beside_pictures_is_that_of_its_mean(middle: float) -> None:
    """Where a pixel is as likely to be kept as not, it brings the least that is kept, and then as much as its light grows."""

    def usual(light: float) -> float:
        counts = np.arange(200)
        seen = counts - NIGHT_SKY
        return float((np.where(seen >= BOUNDARY_LEVEL, seen, 0) * poisson.pmf(counts, light + NIGHT_SKY)).sum())

    one = int(CAMERA.pairs[300][0])
    other, *others = CAMERA.neighbours[one]
    light = torch.zeros(5_000, PIXELS)
    light[:, [one, *others]] = 100.0
    light[:, other] = middle
    light.requires_grad_()
    torch.manual_seed(3)
    (slope,) = torch.autograd.grad(record(light, RESPONSE).images[:, other].sum(), light)
    assert float(slope[:, other].mean()) == pytest.approx(usual(middle + 0.5) - usual(middle - 0.5), rel=0.03)


def test_nothing_is_drawn_of_a_training_that_has_diverged() -> None:
    assert not record(torch.full((2, 609), float("nan")), RESPONSE).is_seen.all()
