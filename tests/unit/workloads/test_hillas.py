"""The parameters of many images at once are those that ctapipe gives one by one."""

import numpy as np
import pytest

pytest.importorskip("ctapipe", reason="the train extra is not installed")

import astropy.units as u
from ctapipe.image import hillas_parameters

from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.hillas import PARAMETERS, column, hillas
from idleq.workloads.iact.rendering import Renderer
from idleq.workloads.iact.showers import load_showers

CAMERA = Camera.load()


def test_they_are_those_of_ctapipe() -> None:
    renderer, showers, random = Renderer.for_camera(CAMERA), load_showers("gamma", "train"), np.random.default_rng(2)
    recorded = [renderer.record(showers.draw(random), random) for _ in range(80)]
    # In a row of two or three pixels there is no width, of which ctapipe takes the root all the same.
    images = [image for image in recorded if image is not None and (image > 0).sum() > 5]
    found = hillas(np.stack(images), CAMERA)
    for image, row in zip(images, found, strict=True):
        expected = hillas_parameters(renderer.geometry, image)
        assert 10 ** row[column("log_size")] == pytest.approx(expected.intensity)
        assert row[column("distance")] == pytest.approx(expected.r.to_value(u.mm))
        assert row[column("length")] == pytest.approx(expected.length.to_value(u.mm), rel=1e-6)
        assert row[column("width")] == pytest.approx(expected.width.to_value(u.mm), rel=1e-6, abs=1e-4)
        assert abs(row[column("skewness")]) == pytest.approx(abs(expected.skewness), rel=1e-3, abs=1e-3)


def test_a_row_of_five_pixels_is_longer_than_wide_and_lies_where_they_are() -> None:
    image = np.zeros(609, dtype=np.float32)
    along = np.argsort(np.abs(CAMERA.y_mm - CAMERA.y_mm[0]) + 1e4 * (CAMERA.x_mm < 100))[:5]
    image[along] = 50
    (row,) = hillas(image[None], CAMERA)
    x, y = CAMERA.x_mm[along].mean(), CAMERA.y_mm[along].mean()
    assert row[column("pixels")] == 5
    assert row[column("distance")] == pytest.approx(np.hypot(x, y))
    assert 0 <= row[column("alpha")] <= 90
    assert row[column("width")] < row[column("length")]


def test_an_image_without_light_gives_zeros_and_no_warning() -> None:
    assert np.array_equal(hillas(np.zeros((3, 609)), CAMERA), np.zeros((3, len(PARAMETERS))))
