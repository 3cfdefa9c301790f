"""The camera's response in torch is that of ctapipe's rules."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("ctapipe", reason="the train extra is not installed")

import torch

from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.rendering import Renderer, night_sky
from idleq.workloads.iact.response import NIGHT_SKY, Response
from idleq.workloads.iact.rules import TRIGGER_LEVEL, TRIGGER_NEIGHBOURS

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERA = Camera.load()
RESPONSE = Response.of(CAMERA)
RENDERER = Renderer.for_camera(CAMERA)


def noisy(events: int) -> np.ndarray:
    """Blobs of light with the night sky, so that every branch of the cleaning is taken."""
    random = np.random.default_rng(5)
    distance = np.hypot(CAMERA.x_mm, CAMERA.y_mm)
    lights = [random.uniform(20, 400) * np.exp(-((distance / random.uniform(20, 90)) ** 2)) for _ in range(events)]
    return np.stack([random.poisson(light) + night_sky(random) for light in lights]).astype(np.float32)


def test_cleaning_is_that_of_ctapipe() -> None:
    images = noisy(100)
    expected = np.stack([RENDERER.clean(image) for image in images])
    assert np.array_equal(RESPONSE.clean(torch.from_numpy(images)).numpy(), expected)


def test_the_trigger_is_that_of_the_data_set() -> None:
    images = noisy(100) * np.linspace(0.2, 1, 100, dtype=np.float32)[:, None]
    expected = [RENDERER.triggers(image) for image in images]
    assert 0 < sum(expected) < 100
    assert RESPONSE.triggers(torch.from_numpy(images)).tolist() == expected


def test_cleaning_never_adds_light() -> None:
    images = torch.from_numpy(noisy(100))
    cleaned = RESPONSE.clean(images)
    assert torch.all((cleaned == images) | (cleaned == 0))
    assert torch.all(cleaned >= 0)


def test_light_is_recorded_with_the_right_mean_and_nothing_that_does_not_trigger() -> None:
    random = torch.Generator().manual_seed(1)
    bright = RESPONSE.record(torch.full((200, PIXELS), 100.0), random)
    assert float(bright.mean()) == pytest.approx(100.0, rel=0.01)
    assert not RESPONSE.record(torch.zeros(5, PIXELS), random).sum(dim=1).gt(5 * NIGHT_SKY * PIXELS).any()


def test_a_dark_pixel_had_less_than_its_level() -> None:
    images = torch.from_numpy(noisy(200))
    cleaned = RESPONSE.clean(images)
    dark = cleaned == 0
    over = (images >= RESPONSE.dark_below(cleaned)) & dark
    # Only lone pictures that were dropped are not covered; those are rare.
    assert float(over.float().mean()) < 1e-3


def test_as_many_pixels_that_touch_as_the_rules_record_make_a_trigger() -> None:
    assert TRIGGER_NEIGHBOURS == 2  # neither trigger reads it: each asks for a pair
    pair = CAMERA.pairs[0]
    alone, together = np.zeros((2, PIXELS), dtype=np.float32)
    alone[pair[0]] = together[pair] = 2 * TRIGGER_LEVEL
    images = np.stack([alone, together])
    assert RESPONSE.triggers(torch.from_numpy(images)).tolist() == [False, True]
    assert [RENDERER.triggers(image) for image in images] == [False, True]
