"""What the discriminator is told of an image is what was measured of it, and counts alike for all of it."""

import math

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import numpy as np
import torch

from idleq.workloads.cgan.telling import MIRRORED, TOLD, Scale, mirrored, tell, told_of
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.dataset import Dataset
from idleq.workloads.iact.hillas import column, hillas

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERA = Camera.load()
PLACES = torch.from_numpy(CAMERA.to_unit()).float()


def test_a_known_image_is_told_in_closed_form() -> None:
    image = torch.zeros(1, PIXELS)
    one, other = CAMERA.pairs[100].tolist()
    image[0, one], image[0, other] = 30.0, 10.0
    told = tell(image, (image > 0).float(), PLACES)
    assert told.shape == (1, TOLD)
    x, y = (0.75 * PLACES[:, one] + 0.25 * PLACES[:, other]).tolist()
    known = [math.log(40), math.log(2), math.log(30), 0, 0, math.log(0.75**2 + 0.25**2), 2 * math.hypot(x, y)]
    assert told[0, :7].tolist() == pytest.approx(known, abs=1e-3)


def test_it_is_told_what_the_judge_measures(made_up: Dataset) -> None:
    images = torch.from_numpy(made_up.images)
    told, measured = told_of(images, PLACES).double(), torch.from_numpy(hillas(made_up.images, CAMERA))
    assert torch.allclose(told[:, 0] / math.log(10), measured[:, column("log_size")], atol=1e-4)
    assert torch.allclose(told[:, 1].exp(), measured[:, column("pixels")], atol=1e-2)
    assert torch.allclose(told[:, 2] / math.log(10), measured[:, column("brightest")], atol=1e-4)
    assert torch.allclose(told[:, 3].exp(), measured[:, column("concentration")], atol=1e-4)
    alpha = np.degrees(np.arccos(np.clip(told[:, -1].numpy(), -1, 1))) / 2
    lengthy = measured[:, column("length")] > 1.2 * measured[:, column("width")]
    assert np.allclose(90 - alpha[lengthy], measured[lengthy, column("alpha")], atol=2)


def test_a_mirror_changes_the_sides_and_nothing_else() -> None:
    places = PLACES.numpy()
    distance = np.hypot(places[0] - 0.3, (places[1] - 0.2) * 1.5 + places[0])
    image = torch.from_numpy((100 * np.exp(-((distance / 0.1) ** 2))).astype(np.float32))
    image = torch.where(image > 7, image, 0.0)[None]
    in_a_mirror = PLACES * torch.tensor([[1.0], [-1.0]])
    told, other = (tell(image, (image > 0).float(), where) for where in (PLACES, in_a_mirror))
    assert torch.allclose(mirrored(told, torch.tensor([-1.0])), other, atol=1e-4)
    assert float(told[0, list(MIRRORED)].abs().min()) > 1e-3


def test_what_is_told_of_the_training_set_is_of_order_one(made_up: Dataset) -> None:
    told = told_of(torch.from_numpy(made_up.images), PLACES)
    scale = Scale.of(told)
    scaled = (told - scale.mean) / scale.deviation
    others = [number for number in range(TOLD) if number not in MIRRORED]
    assert float(scaled[:, others].mean(dim=0).abs().max()) < 1e-3
    assert not scale.mean[list(MIRRORED)].any()
    assert float(scaled.std(dim=0).max()) < 1.01


def test_a_dark_image_makes_nothing_endless() -> None:
    image = torch.zeros(2, PIXELS)
    image[1, CAMERA.pairs[100]] = torch.tensor([30.0, 10.0])
    image.requires_grad_()
    told = tell(image, (image > 0).float(), PLACES)
    assert bool(torch.isfinite(told).all())
    (slope,) = torch.autograd.grad(told.sum(), image)
    assert bool(torch.isfinite(slope).all())
