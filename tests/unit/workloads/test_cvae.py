"""What the conditional VAE promises whatever its weights."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")

import torch
from scipy.stats import poisson
from torch import nn

from idleq.workloads.cgan.config import ModelSize as GanSize
from idleq.workloads.cgan.config import Variant as GanVariant
from idleq.workloads.cgan.variants import generator_of
from idleq.workloads.cgan.weights import save_generator
from idleq.workloads.cvae.bell import Decoder
from idleq.workloads.cvae.config import TrainConfig, Variant
from idleq.workloads.cvae.data import TrainingData
from idleq.workloads.cvae.flow import Prior
from idleq.workloads.cvae.likelihood import Observed, log_at_most, log_likelihood
from idleq.workloads.cvae.model import Model, ModelSize
from idleq.workloads.cvae.plain import FIRST_LOG_ERROR, PlainModel
from idleq.workloads.cvae.sampling import sample
from idleq.workloads.cvae.variants import build
from idleq.workloads.cvae.weights import load_model, save_model
from idleq.workloads.errors import DamagedData
from idleq.workloads.iact.camera import PIXELS, Camera
from idleq.workloads.iact.dataset import CLASSES, Dataset, equal_classes
from idleq.workloads.iact.response import Response
from idleq.workloads.iact.sizing import is_of_class, log_quantiles_of, size_in_class
from idleq.workloads.training.weights import save_weights

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = ModelSize(latent=4, width=8)
PLAIN = ModelSize(latent=4, width=2, variant=Variant.PLAIN)
CAMERA = Camera.load()


def new(made_up: Dataset, size: ModelSize) -> Model:
    torch.manual_seed(1)
    return build(size, TrainingData.prepare(made_up, CAMERA).log_quantiles).eval()


@pytest.fixture
def model(made_up: Dataset) -> Model:
    return new(made_up, SIZE)


@pytest.fixture
def plain(made_up: Dataset) -> Model:
    return new(made_up, PLAIN)


def test_drawing_from_the_prior_is_the_inverse_of_its_density() -> None:
    torch.manual_seed(2)
    prior, noise, condition = Prior(5, 1).double(), torch.randn(50, 5).double(), torch.randn(50, 1).double()
    for values in prior.parameters():
        torch.nn.init.normal_(values, std=0.3)
    code = prior.draw(noise, condition)
    back = code
    for layer in prior.layers:
        back, _ = layer(back, condition)
    assert torch.allclose(back, noise)
    jacobian = torch.func.jacrev(lambda one: prior.draw(one[None], condition[:1])[0])(noise[0])
    expected = -0.5 * noise[0].square().sum() - torch.linalg.slogdet(jacobian).logabsdet
    assert float(prior.log_density(code[:1], condition[:1]).detach()) == pytest.approx(
        float(expected.detach()), abs=1e-6
    )


def test_the_chance_of_a_dark_pixel_is_that_of_a_poisson_count() -> None:
    mean = torch.linspace(15, 60, 40, dtype=torch.float64)
    found = log_at_most(torch.full_like(mean, 22.0), mean).numpy()
    assert found == pytest.approx(poisson.logcdf(22, mean.numpy()), rel=0.02, abs=0.02)
    far = log_at_most(torch.tensor([22.0]), torch.tensor([3000.0], requires_grad=True))
    assert torch.isfinite(far).all()


def test_the_likelihood_is_greatest_at_the_light_that_was_there() -> None:
    light = torch.zeros(1, PIXELS)
    light[0, 100], light[0, CAMERA.neighbours[100]] = 200.0, 60.0
    seen = Observed.of(light, Response.of(CAMERA).dark_below(light))
    best = float(log_likelihood(light, seen))
    for other in (0.7 * light, 1.3 * light, light.roll(1, dims=1), light + 5):
        assert float(log_likelihood(other, seen)) < best


def test_the_expected_light_is_a_shape_times_the_size(model: Model) -> None:
    assert isinstance(model.decoder, Decoder)
    with torch.no_grad():
        for layer in (model.decoder.straight, model.decoder.draw[-1]):
            assert isinstance(layer, nn.Linear)
            layer.weight[-1], layer.bias[-1] = 0.0, 0.0  # of the factor for what cleaning takes
        light = model.decoder(torch.randn(20, SIZE.latent), torch.linspace(50, 5000, 20))
    assert light.sum(dim=1).numpy() == pytest.approx(np.linspace(50, 5000, 20), rel=1e-4)


def test_the_sizes_asked_for_lie_in_their_classes_as_the_training_set_has_them(made_up: Dataset) -> None:
    classes, quantiles = torch.from_numpy(made_up.classes), log_quantiles_of(made_up.sizes)
    assert is_of_class(torch.from_numpy(made_up.sizes), classes, quantiles).float().mean() > 0.9
    wanted = torch.arange(CLASSES).repeat_interleave(50)
    sizes = size_in_class(quantiles, wanted, torch.rand(len(wanted)))
    assert is_of_class(sizes, wanted, quantiles).all()
    assert not is_of_class(sizes, (wanted + 2) % CLASSES, quantiles).any()


def test_the_plain_variant_gives_the_image_itself(plain: Model, made_up: Dataset) -> None:
    with torch.no_grad():
        light = plain.decoder(torch.randn(20, PLAIN.latent), torch.linspace(50, 5000, 20))
        image = plain.record(light, Response.of(CAMERA), torch.Generator())
    for made in (light, image):
        assert made.sum(dim=1).numpy() == pytest.approx(
            np.linspace(50, 5000, 20) * (made.sum(dim=1) > 0).numpy(), rel=1e-4
        )
    batch = TrainingData.prepare(made_up, CAMERA).batch(np.arange(10))
    true = torch.from_numpy(made_up.images[:10])
    best = plain.misfit(true, batch)
    assert best.detach().numpy() == pytest.approx(PIXELS * FIRST_LOG_ERROR, abs=1e-3)
    for other in (0.7 * true, true.roll(1, dims=1), true + 5):
        assert (plain.misfit(other, batch) > best).all()


def test_the_plain_encoder_sees_each_pixel_where_the_camera_has_it(made_up: Dataset) -> None:
    plain = new(made_up, PLAIN)
    seen: list[torch.Tensor] = []
    plain.encoder.get_submodule("shrink").register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    batch = TrainingData.prepare(made_up, CAMERA).batch(np.arange(3))
    plain.encoder(batch.images, torch.zeros(3, 1))
    expected = np.where(CAMERA.mask, CAMERA.to_map(batch.images.numpy()), -1)
    assert np.array_equal(seen[0][:, 0].numpy(), expected)


@pytest.mark.parametrize("size", [SIZE, PLAIN], ids=[*Variant])
def test_the_same_seed_gives_the_same_images_which_are_cleaned(made_up: Dataset, size: ModelSize) -> None:
    model, classes = new(made_up, size), equal_classes(30)
    first, second = (sample(model, CAMERA, classes, torch.Generator().manual_seed(4)) for _ in range(2))
    assert first.images.shape == (30, PIXELS)
    assert np.array_equal(first.images, second.images)
    assert 0 <= first.first <= 1
    assert not ((first.images > 0) & (first.images < 7)).any()


@pytest.mark.parametrize("size", [SIZE, PLAIN], ids=[*Variant])
def test_weights_come_back_from_their_file_without_the_encoder(
    made_up: Dataset, size: ModelSize, tmp_path: Path
) -> None:
    model, path, classes = new(made_up, size), tmp_path / "decoder.safetensors", equal_classes(10)
    before = sample(model, CAMERA, classes, torch.Generator().manual_seed(4))
    save_model(model, size, path)
    loaded = load_model(path)
    after = sample(loaded, CAMERA, classes, torch.Generator().manual_seed(4))
    assert np.array_equal(before.images, after.images)
    assert isinstance(loaded, PlainModel) is (size is PLAIN)
    assert not any(name.startswith("encoder") for name in loaded.state_dict())


def test_checkpoints_say_their_variant() -> None:
    assert TrainConfig(steps=1, events=200).identity()["variant"] == "bell"
    assert TrainConfig.of(Variant.PLAIN, steps=1, events=200).identity()["variant"] == "plain"


def test_a_variant_that_is_not_known_is_refused(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "decoder.safetensors"
    save_weights(model, "cvae-decoder", {**SIZE.to_dict(), "variant": "fancy"}, path)
    with pytest.raises(
        DamagedData, match=r"cvae-decoder that this program can use: its variant is 'fancy', not one of bell, plain"
    ):
        load_model(path)


def test_the_weights_of_another_model_are_refused(model: Model, made_up: Dataset, tmp_path: Path) -> None:
    data, size = TrainingData.prepare(made_up, CAMERA), GanSize(variant=GanVariant.BELL, latent=8, width=2)
    generator = generator_of(size, CAMERA, data.log_quantiles)
    save_generator(generator, size, tmp_path / "generator.safetensors")
    with pytest.raises(DamagedData, match="it is a cgan-generator, not a cvae-decoder"):
        load_model(tmp_path / "generator.safetensors")
    save_model(model, SIZE, tmp_path / "decoder.safetensors")
    content = (tmp_path / "decoder.safetensors").read_bytes()
    (tmp_path / "decoder.safetensors").write_bytes(content[:-50])
    with pytest.raises(DamagedData, match="does not hold a cvae-decoder"):
        load_model(tmp_path / "decoder.safetensors")
