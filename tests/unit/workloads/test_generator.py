"""What a generated image is, whatever the weights."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")

import torch

from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.model import Generator, ModelSize
from idleq.workloads.cgan.sampling import sample
from idleq.workloads.cgan.weights import load_generator, save_generator
from idleq.workloads.errors import DamagedData, MissingInput
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.dataset import CLASSES, equal_classes
from idleq.workloads.iact.scaling import MAX_LIGHT, MIN_LIGHT, as_cleaned, to_light, to_network

SIZE = ModelSize(latent=8, width=2)
CAMERA = Camera.load()


@pytest.fixture
def generator(training_data: TrainingData) -> Generator:
    torch.manual_seed(1)
    return Generator(SIZE, training_data.mask, training_data.log_quantiles).eval()


def test_the_scale_has_an_inverse() -> None:
    light = torch.tensor([0.0, 7.0, 100.0, MAX_LIGHT])
    assert torch.allclose(to_light(to_network(light)), light, rtol=1e-4, atol=1e-4)


def test_the_light_outside_the_camera_is_none_and_the_sum_is_in_the_class(
    generator: Generator, training_data: TrainingData
) -> None:
    wanted = torch.arange(CLASSES).repeat_interleave(20)
    with torch.no_grad():
        light = generator(torch.randn(len(wanted), SIZE.latent), wanted)
    assert not light[:, 0, ~training_data.mask].any()
    logs = light.sum(dim=(1, 2, 3)).log()
    quantiles = training_data.log_quantiles
    assert torch.all(logs >= quantiles[wanted * 10] - 1e-4)
    assert torch.all(logs <= quantiles[wanted * 10 + 10] + 1e-4)


def test_a_cleaned_image_has_no_faint_pixel_and_keeps_its_size() -> None:
    light = torch.zeros(2, 1, 32, 32)
    light[0, 0, 4, 4], light[0, 0, 4, 5] = 50.0, 3.0
    light[1, 0, 4, 4] = 3.0
    cleaned = as_cleaned(light)
    assert cleaned.sum(dim=(1, 2, 3)).tolist() == pytest.approx([53.0, 0.0])
    assert not torch.any((cleaned > 0) & (cleaned < MIN_LIGHT))


def test_the_same_seed_gives_the_same_images(generator: Generator) -> None:
    classes = equal_classes(30)
    first, second = (sample(generator, CAMERA, classes, torch.Generator().manual_seed(4)) for _ in range(2))
    assert first.images.shape == (30, PIXELS)
    assert np.array_equal(first.images, second.images)
    assert 0 <= first.first <= 1
    assert np.bincount(classes).tolist() == [3] * CLASSES


def test_weights_come_back_from_their_file(generator: Generator, tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    save_generator(generator, SIZE, path)
    once = path.read_bytes()
    loaded = load_generator(path, CAMERA)
    classes = equal_classes(10)
    images = [sample(model, CAMERA, classes, torch.Generator().manual_seed(4)) for model in (generator, loaded)]
    assert np.array_equal(images[0].images, images[1].images)
    save_generator(loaded, SIZE, path)
    assert path.read_bytes() == once


def test_a_damaged_weights_file_is_refused(generator: Generator, tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    save_generator(generator, SIZE, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedData, match="does not hold a cgan-generator"):
        load_generator(path, CAMERA)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="train-cgan writes them"):
        load_generator(tmp_path / "none", CAMERA)
