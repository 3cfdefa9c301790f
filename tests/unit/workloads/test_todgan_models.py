"""The networks are those of the slides, and what a generator makes is what it was asked for."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("safetensors", reason="the train extra is not installed")
pytest.importorskip("h5py", reason="the train extra is not installed")

import torch

from idleq.workloads.errors import DamagedData, MissingInput
from idleq.workloads.todgan.conditional import (
    LONG,
    ConditionalDiscriminator,
    ConditionalGenerator,
    LearnedPulses,
    band_matrix,
    knots,
)
from idleq.workloads.todgan.config import Variant
from idleq.workloads.todgan.data import Scale
from idleq.workloads.todgan.models import GENERATORS, parameters
from idleq.workloads.todgan.sampling import as_tods, sample
from idleq.workloads.todgan.slides import (
    DISCRIMINATOR_PARAMETERS,
    GENERATOR_PARAMETERS,
    ChannelNorm,
    SlidesDiscriminator,
    SlidesGenerator,
)
from idleq.workloads.todgan.weights import load_generator, save_generator
from idleq.workloads.tods.hits import UNKNOWN_HITS
from idleq.workloads.tods.instrument import SAMPLES, SAMPLING_HZ
from idleq.workloads.training.weights import save_weights

SCALE = Scale(offset_w=-3e-17, width_w=2.7e-17)
HITS = np.array([0, 1, 2, 5, 0, 1], dtype=np.int8)


def test_the_slides_networks_have_the_published_numbers_of_parameters() -> None:
    assert parameters(SlidesGenerator()) == GENERATOR_PARAMETERS == 33_766
    assert parameters(SlidesDiscriminator()) == DISCRIMINATOR_PARAMETERS == 10_785


def test_the_slides_layers_have_the_published_lengths() -> None:
    lengths: list[tuple[int, ...]] = []
    generator, discriminator = SlidesGenerator(), SlidesDiscriminator()
    for norm in (*generator.norms, *discriminator.norms):
        norm.register_forward_hook(lambda _module, _inputs, output: lengths.append(tuple(output.shape[1:])))
    hits = torch.zeros(3, dtype=torch.int64)
    tods = generator(generator.noise(hits), hits)
    assert tods.shape == (3, SAMPLES)
    assert discriminator(tods, hits).shape == (3,)
    assert lengths == [(8, 265), (16, 530), (32, 1060), (8, 1060), (8, 1060), (16, 530), (32, 106)]


def test_the_channel_norm_is_torchs_layer_norm_over_channels() -> None:
    maps = torch.randn(2, 8, 30)
    ours = ChannelNorm(8)
    torch.nn.init.normal_(ours.gain)
    torch.nn.init.normal_(ours.bias)
    theirs = torch.nn.functional.layer_norm(
        maps.transpose(1, 2), (8,), ours.gain[:, 0], ours.bias[:, 0], eps=1e-3
    ).transpose(1, 2)
    assert torch.allclose(ours(maps), theirs, atol=1e-5)


@pytest.mark.parametrize("variant", Variant)
def test_the_same_seed_gives_the_same_tods_and_another_seed_others(variant: Variant) -> None:
    torch.manual_seed(1)
    generator = GENERATORS[variant]().eval()
    made, again, other = (sample(generator, SCALE, HITS, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5))
    assert made.shape == (len(HITS), SAMPLES)
    assert made.dtype == np.float32
    assert np.array_equal(made, again)
    assert not np.array_equal(made, other)
    # In watts: of the order of the scale, and not of one.
    assert 1e-19 < np.abs(made).max() < 1e-14


@pytest.mark.parametrize("variant", Variant)
def test_weights_come_back_from_their_file(variant: Variant, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    generator = GENERATORS[variant]().eval()
    save_generator(generator, variant, SCALE, path)
    loaded, named, scale = load_generator(path)
    assert (named, scale) == (variant, SCALE)
    both = [sample(model, SCALE, HITS, torch.Generator().manual_seed(4)) for model in (generator, loaded)]
    assert np.array_equal(both[0], both[1])
    once = path.read_bytes()
    save_generator(loaded, named, scale, path)
    assert path.read_bytes() == once


def test_weights_of_another_model_or_damaged_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    save_weights(SlidesGenerator(), "cgan-generator", {}, path)
    with pytest.raises(DamagedData, match="it is a cgan-generator, not a tod-generator"):
        load_generator(path)
    save_generator(SlidesGenerator(), Variant.CONDITIONAL, SCALE, path)
    with pytest.raises(DamagedData, match="does not hold a tod-generator"):
        load_generator(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedData, match="does not hold a tod-generator"):
        load_generator(path)
    with pytest.raises(MissingInput, match="train-todgan writes them"):
        load_generator(tmp_path / "none")


def test_only_a_conditional_generator_says_how_many_hits_its_tods_have() -> None:
    tods = np.zeros((2, SAMPLES), dtype=np.float32)
    hits = np.array([1, 3], dtype=np.int8)
    assert as_tods(ConditionalGenerator(), tods, hits).hits.tolist() == [1, 3]
    assert as_tods(SlidesGenerator(), tods, hits).hits.tolist() == [UNKNOWN_HITS, UNKNOWN_HITS]


def test_the_scale_has_an_inverse_in_watts() -> None:
    tods = np.random.default_rng(0).normal(SCALE.offset_w, SCALE.width_w, (4, SAMPLES)).astype(np.float32)
    found = Scale.of(tods)
    assert found.width_w == pytest.approx(SCALE.width_w, rel=0.05)
    assert found.to_watts(found.to_network(tods)) == pytest.approx(tods, rel=1e-4, abs=1e-22)


def test_a_tod_has_as_many_pulses_as_it_was_asked_for() -> None:
    pulses = LearnedPulses()
    times = torch.tensor([[100.2, 300.9, 500.5, 700.0, 900.7]]).expand(3, 5)
    made = pulses(times, torch.zeros(3, 5, 2), torch.tensor([0, 2, 5]))
    touched = [(made[row].abs() > 0).nonzero()[:, 0] for row in range(3)]
    assert len(touched[0]) == 0
    assert touched[1].max() < 400
    assert touched[2].max() > 850


def test_a_pulse_at_either_end_is_cut_and_not_wrapped_round() -> None:
    pulses = LearnedPulses()
    made = pulses(torch.tensor([[0.0] * 5, [1059.9] * 5]), torch.zeros(2, 5, 2), torch.tensor([1, 1]))
    assert made.shape == (2, SAMPLES)
    assert not made[0, 100:].any()
    assert not made[1, :900].any()


def test_an_untrained_background_is_white_and_a_raised_response_is_seen_where_it_is() -> None:
    torch.manual_seed(0)
    generator = ConditionalGenerator()
    white = torch.randn(400, LONG)
    with torch.no_grad():
        assert torch.allclose(generator.background(white), white[:, :SAMPLES], atol=1e-4)
        generator.background.log_gain[knots() < 1] = 1.0
        power = torch.fft.rfft(generator.background(white)).abs().square().mean(dim=0) / SAMPLES
    frequencies = torch.fft.rfftfreq(SAMPLES, 1 / SAMPLING_HZ)
    low, high = (frequencies > 0.1) & (frequencies < 0.7), frequencies > 2
    assert power[low].mean().item() == pytest.approx(np.exp(2), rel=0.1)
    assert power[high].mean().item() == pytest.approx(1, rel=0.05)


def test_every_frequency_but_the_mean_is_in_one_band() -> None:
    inside = band_matrix() > 0
    assert not inside[0].any()
    assert (inside[1:].sum(dim=1) == 1).float().mean() > 0.99
    assert ConditionalDiscriminator()(torch.randn(4, SAMPLES), torch.tensor([0, 1, 2, 5])).shape == (4,)
