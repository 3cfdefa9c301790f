"""What a generated image is, whatever the weights."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")

import torch

from idleq.workloads.cgan.bell import BellGenerator, ToldDiscriminator
from idleq.workloads.cgan.config import USUAL, ModelSize, TrainConfig, Variant
from idleq.workloads.cgan.convolutional import ConvolutionalGenerator
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.looking import distance
from idleq.workloads.cgan.models import Generator
from idleq.workloads.cgan.sampling import sample
from idleq.workloads.cgan.telling import Scale, told_of
from idleq.workloads.cgan.variants import generator_of
from idleq.workloads.cgan.weights import MODEL, load_generator, save_generator
from idleq.workloads.errors import DamagedData, MissingInput
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.dataset import CLASSES, equal_classes
from idleq.workloads.iact.scaling import MAX_LIGHT, MIN_LIGHT, as_cleaned, to_light, to_network
from idleq.workloads.iact.sizing import POINTS, log_quantiles_of, size_in_class
from idleq.workloads.training.weights import save_weights

CAMERA = Camera.load()
CONVOLUTIONAL = ModelSize(variant=Variant.CONVOLUTIONAL, latent=8, width=2)


@pytest.fixture(params=list(Variant))
def size(request: pytest.FixtureRequest) -> ModelSize:
    return ModelSize(variant=request.param, latent=8, width=2)


@pytest.fixture
def generator(size: ModelSize, training_data: TrainingData) -> Generator:
    torch.manual_seed(1)
    return generator_of(size, CAMERA, training_data.log_quantiles).eval()


def test_the_scale_has_an_inverse() -> None:
    light = torch.tensor([0.0, 7.0, 100.0, MAX_LIGHT])
    assert torch.allclose(to_light(to_network(light)), light, rtol=1e-4, atol=1e-4)


def test_the_light_of_convolutions_outside_the_camera_is_none_and_the_sum_is_in_the_class(
    training_data: TrainingData,
) -> None:
    torch.manual_seed(1)
    generator = ConvolutionalGenerator(CONVOLUTIONAL, CAMERA, training_data.log_quantiles)
    wanted = torch.arange(CLASSES).repeat_interleave(20)
    with torch.no_grad():
        light = generator(torch.randn(len(wanted), CONVOLUTIONAL.latent), wanted)
    assert not light[:, 0, ~torch.from_numpy(CAMERA.mask)].any()
    logs = light.sum(dim=(1, 2, 3)).log()
    quantiles = training_data.log_quantiles
    assert torch.all(logs >= quantiles[wanted * POINTS] - 1e-4)
    assert torch.all(logs <= quantiles[wanted * POINTS + POINTS] + 1e-4)


def test_a_shower_may_lie_at_any_angle_and_is_turned_by_it(training_data: TrainingData) -> None:
    """Seen from its angle, the middle of its light is where that of another angle is."""
    generator = BellGenerator(ModelSize(variant=Variant.BELL, latent=16, width=8), CAMERA, training_data.log_quantiles)
    wanted = torch.full((60,), 5)
    noise = generator.noise(60, torch.Generator().manual_seed(1))
    same = replace(noise, codes=noise.codes[:1].expand(60, -1), within=noise.within[:1].expand(60))
    with torch.no_grad():
        light = generator(same, wanted)
    places = torch.from_numpy(CAMERA.to_unit()).float()
    middles = light @ places.T / light.sum(dim=1, keepdim=True)
    assert float(middles.norm(dim=1).std() / middles.norm(dim=1).mean()) < 0.05
    turned = torch.atan2(middles[:, 1], middles[:, 0]) - noise.angles
    away = (turned - turned[0] + math.pi).remainder(2 * math.pi) - math.pi
    assert float(away.abs().max()) < 0.2
    assert float(noise.angles.max() - noise.angles.min()) > 5


def test_a_discriminator_that_is_told_numbers_sees_how_a_batch_differs(training_data: TrainingData) -> None:
    torch.manual_seed(1)
    discriminator = ToldDiscriminator(CAMERA, Scale.of(training_data.told))
    told = discriminator.scaled(training_data.told[:50])
    with torch.no_grad():
        alone, among_others = discriminator(told)[:10], discriminator(torch.cat([told[:10], told[10:] + 1]))[:10]
    assert float((alone - among_others).abs().min()) > 1e-4


def test_it_is_looked_at_once_its_rates_have_fallen_if_they_do_and_at_the_end() -> None:
    config = TrainConfig(steps=1_050, events=400, batch=16, look_every=100)
    assert [step for step in range(1, 1_051) if config.is_looked_at(step)] == [900, 1_000, 1_050]
    steady = replace(config, model=USUAL[Variant.CONVOLUTIONAL].model)
    assert [step for step in range(1, 1_051) if steady.is_looked_at(step)] == [*range(100, 1_001, 100), 1_050]


def test_a_generator_that_is_nearer_to_true_images_has_the_lower_figure(training_data: TrainingData) -> None:
    torch.manual_seed(1)
    told, classes = training_data.told, training_data.classes
    size = ModelSize(variant=Variant.BELL, latent=16, width=8)
    near = generator_of(size, CAMERA, training_data.log_quantiles)
    drawn = sample(near, classes.numpy(), torch.Generator().manual_seed(3))
    its_own = told_of(torch.from_numpy(drawn.images), torch.from_numpy(CAMERA.to_unit()).float())
    assert distance(near, CAMERA, its_own, classes) < 0.2 < distance(near, CAMERA, told, classes)


def test_the_brightest_showers_are_drawn_as_bright_as_they_are() -> None:
    """Also where few are much brighter than all others, as in nature: sizes fall off by a power."""
    random = np.random.default_rng(1)
    sizes = 100 * (1 + random.pareto(1.7, 60_000))
    brightest = np.sort(sizes)[-6_000:]
    drawn = size_in_class(
        log_quantiles_of(sizes), torch.full((60_000,), CLASSES - 1), torch.from_numpy(random.random(60_000)).float()
    ).numpy()
    for share in (0.5, 0.9, 0.99):
        assert np.quantile(drawn, share) == pytest.approx(np.quantile(brightest, share), rel=0.1)


def test_a_cleaned_image_has_no_faint_pixel_and_keeps_its_size() -> None:
    light = torch.zeros(2, 1, 32, 32)
    light[0, 0, 4, 4], light[0, 0, 4, 5] = 50.0, 3.0
    light[1, 0, 4, 4] = 3.0
    cleaned = as_cleaned(light)
    assert cleaned.sum(dim=(1, 2, 3)).tolist() == pytest.approx([53.0, 0.0])
    assert not torch.any((cleaned > 0) & (cleaned < MIN_LIGHT))


def test_the_same_seed_gives_the_same_images(generator: Generator) -> None:
    classes = equal_classes(30)
    first, second = (sample(generator, classes, torch.Generator().manual_seed(4)) for _ in range(2))
    assert first.images.shape == (30, PIXELS)
    assert np.array_equal(first.images, second.images)
    assert 0 <= first.first <= 1
    assert np.bincount(classes).tolist() == [3] * CLASSES


def test_weights_come_back_from_their_file(generator: Generator, size: ModelSize, tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    save_generator(generator, size, path)
    once = path.read_bytes()
    loaded = load_generator(path, CAMERA)
    classes = equal_classes(10)
    images = [sample(model, classes, torch.Generator().manual_seed(4)) for model in (generator, loaded)]
    assert np.array_equal(images[0].images, images[1].images)
    save_generator(loaded, size, path)
    assert path.read_bytes() == once


def test_a_damaged_weights_file_is_refused(generator: Generator, size: ModelSize, tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    save_generator(generator, size, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedData, match="does not hold a cgan-generator"):
        load_generator(path, CAMERA)


def test_weights_of_an_unknown_variant_are_refused(generator: Generator, size: ModelSize, tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    save_weights(generator, MODEL, {**size.to_dict(), "variant": "diffusion"}, path)
    with pytest.raises(DamagedData, match="its variant is 'diffusion', not one of bell, convolutional"):
        load_generator(path, CAMERA)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="train-cgan writes them"):
        load_generator(tmp_path / "none", CAMERA)
