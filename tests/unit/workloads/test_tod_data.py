"""Simulated TODs are what their numbers say, and the same on every run."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the train extra is not installed")
pytest.importorskip("h5py", reason="the train extra is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from idleq.workloads.tods.decimation import MARGIN, TAPS, decimate, low_pass, response
from idleq.workloads.tods.hits import MAX_HITS, Hits, add_hits, draw_counts, draw_hits
from idleq.workloads.tods.instrument import (
    C2_MEAN_W,
    C2_SIGMA_W,
    CENTRAL_SIGMAS,
    DURATION_SECONDS,
    FAST_HZ,
    HIT_RATE_HZ,
    OVERSAMPLING,
    SAMPLES,
    SAMPLING_HZ,
    WAFER_MEAN_W,
    WAFER_SIGMA_W,
    white_density,
)
from idleq.workloads.tods.noise import density, detector_noise, wafer_noise
from idleq.workloads.tods.simulation import ARRAYS, simulate_block

FAST_SAMPLES = OVERSAMPLING * (SAMPLES + 2 * MARGIN)


def power(values: np.ndarray) -> float:
    return float(np.mean(values.astype(np.float64) ** 2))


def wave(hertz: float, phase: float) -> np.ndarray:
    angles: np.ndarray = 2 * np.pi * hertz * np.arange(FAST_SAMPLES) / FAST_HZ + phase
    values: np.ndarray = 2**0.5 * np.sin(angles)
    return values


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 8.3), st.floats(0, 6.28))
def test_what_the_detector_can_see_keeps_its_energy_within_the_filters_ripple(hertz: float, phase: float) -> None:
    gain = float(response(np.array([hertz]))[0])
    assert gain == pytest.approx(1, abs=5e-4)
    # A wave of no whole number of periods has its own half a percent; the filter must add nothing to it.
    ideal = wave(hertz, phase)[MARGIN * OVERSAMPLING : -MARGIN * OVERSAMPLING : OVERSAMPLING]
    assert power(decimate(wave(hertz, phase))) == pytest.approx(power(ideal), rel=2e-3)


@settings(max_examples=25, deadline=None)
@given(st.floats(9.6, FAST_HZ / 2), st.floats(0, 6.28))
def test_what_would_fold_back_is_eighty_decibels_down(hertz: float, phase: float) -> None:
    assert power(decimate(wave(hertz, phase))) < 1e-8 * 1.5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_white_noise_keeps_the_share_of_energy_that_the_filter_lets_through(seed: int) -> None:
    fast = np.random.default_rng(seed).standard_normal((20, FAST_SAMPLES))
    kept = float(np.sum(low_pass() ** 2))  # Parseval: the mean of the squared response
    assert power(decimate(fast)) == pytest.approx(kept, rel=0.06)


def test_a_slow_sample_lies_on_its_fast_one_and_a_constant_stays() -> None:
    fast = np.arange(FAST_SAMPLES, dtype=np.float64)
    assert decimate(fast) == pytest.approx(OVERSAMPLING * (np.arange(SAMPLES) + MARGIN), abs=1e-6)
    assert decimate(np.ones(FAST_SAMPLES)) == pytest.approx(np.ones(SAMPLES), abs=1e-6)
    assert TAPS // 2 == MARGIN * OVERSAMPLING


def test_the_noise_has_the_density_of_the_instrument() -> None:
    noise = detector_noise(np.random.default_rng(3), 60, FAST_SAMPLES)
    frequencies, found = signal.welch(noise, FAST_HZ, nperseg=FAST_SAMPLES, axis=-1)
    found = found.mean(axis=0)
    for low, high in ((0.03, 0.2), (0.2, 2), (2, 20), (20, 70)):
        inside = (frequencies > low) & (frequencies < high)
        assert found[inside].mean() == pytest.approx(density(frequencies[inside]).mean(), rel=0.1)
    assert density(np.array([50.0]))[0] == pytest.approx(white_density(), rel=1e-3)
    assert white_density() ** 0.5 == pytest.approx(8.2e-18, rel=0.02)  # W/Hz^0.5


def test_the_wafers_noise_is_half_shared_by_a_pair_and_not_by_others() -> None:
    slow = decimate(wafer_noise(np.random.default_rng(4), 40, FAST_SAMPLES))
    kept = float(np.sum(low_pass() ** 2)) * OVERSAMPLING
    assert slow.mean() == pytest.approx(WAFER_MEAN_W, rel=0.02)
    assert slow.std() == pytest.approx(WAFER_SIGMA_W * kept**0.5, rel=0.02)
    correlations = np.corrcoef(slow)
    pairs = correlations[np.arange(0, 40, 2), np.arange(1, 40, 2)]
    others = correlations[np.arange(1, 39, 2), np.arange(2, 40, 2)]
    assert pairs.mean() == pytest.approx(0.5, abs=0.03)
    assert others.mean() == pytest.approx(0, abs=0.03)


def one_hit(seconds: float, c2: float, tau: float) -> Hits:
    nothing = np.full((1, MAX_HITS), np.nan)
    values = [nothing.copy() for _ in range(4)]
    for array, value in zip(values, (seconds, 0.0, c2, tau), strict=True):
        array[0, 0] = value
    return Hits(*values)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, DURATION_SECONDS - 1), st.floats(1e-3, 8e-3))
def test_a_hit_brings_its_energy_wherever_between_two_samples_it_falls(seconds: float, tau: float) -> None:
    fast = np.zeros((1, FAST_SAMPLES))
    add_hits(fast, one_hit(seconds, 2e-15, tau))
    assert fast.sum() / FAST_HZ == pytest.approx(2e-15 * tau, rel=1e-6)
    slow = decimate(fast)[0]
    assert abs(slow.argmax() / SAMPLING_HZ - seconds) < 1.5 / SAMPLING_HZ
    # Near the ends a part of the ringing lies outside.
    if 2 < seconds < DURATION_SECONDS - 3:
        assert slow.sum() / SAMPLING_HZ == pytest.approx(2e-15 * tau, rel=0.01)


def test_a_hit_at_the_very_end_leaves_the_file_whole() -> None:
    fast = np.zeros((1, FAST_SAMPLES))
    add_hits(fast, one_hit(DURATION_SECONDS, 2e-15, 4e-3))
    assert np.isfinite(decimate(fast)).all()


def test_hits_come_as_often_as_asked_for() -> None:
    random = np.random.default_rng(5)
    natural = draw_counts(random, "natural", 0, 20_000)
    assert natural.mean() == pytest.approx(HIT_RATE_HZ * DURATION_SECONDS, rel=0.1)
    balanced = draw_counts(random, "balanced", 0, 3_001)
    by_class = np.bincount(np.minimum(balanced, 2))
    assert by_class.max() - by_class.min() <= 1
    assert balanced.max() <= MAX_HITS


def test_hits_are_as_many_as_counted_with_parameters_of_the_central_part() -> None:
    counts = np.array([0, 1, 3, MAX_HITS], dtype=np.int8)
    hits = draw_hits(np.random.default_rng(6), counts)
    for values in (hits.seconds, hits.c1, hits.c2, hits.tau):
        assert (~np.isnan(values)).sum(axis=1).tolist() == counts.tolist()
    many = draw_hits(np.random.default_rng(6), np.full(4_000, MAX_HITS))
    assert np.abs(many.c2 - C2_MEAN_W).max() <= CENTRAL_SIGMAS * C2_SIGMA_W * 1.0001
    assert many.tau.min() > 0


def test_a_block_depends_on_its_seeds_only() -> None:
    one, again, other = (simulate_block(seeds, "balanced", 0, 6).arrays() for seeds in ([1, 2], [1, 2], [1, 3]))
    assert [one[name].tobytes() for name in ARRAYS] == [again[name].tobytes() for name in ARRAYS]
    assert not np.array_equal(one["tods"], other["tods"])
    assert one["tods"].shape == (6, SAMPLES)
    assert one["hits"].tolist()[:2] == [0, 1]
