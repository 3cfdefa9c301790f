"""The quality factor is measured on events that the cut was not chosen by."""

import numpy as np
import pytest

from idleq.workloads.classifier.quality import FEWEST_GAMMAS, best_threshold, measure


def test_the_quality_is_the_gammas_kept_over_the_root_of_the_hadrons_kept() -> None:
    is_gamma = np.arange(400) < 200
    is_kept = np.concatenate([np.arange(200) < 120, np.arange(200) < 8])
    found = measure(is_kept, is_gamma, np.arange(400), seed=1)
    assert (found.gamma_efficiency, found.hadron_efficiency) == pytest.approx((0.6, 0.04))
    assert found.q == pytest.approx(0.6 / 0.2)
    assert found.low < found.q < found.high


def test_events_of_one_row_are_no_independent_events() -> None:
    is_gamma = np.arange(4000) < 2000
    random = np.random.default_rng(0)
    by_row = random.random(400) < 0.5
    rows = np.arange(4000) // 10
    alone = measure(random.permutation(by_row[rows]), is_gamma, np.arange(4000), seed=1)
    together = measure(by_row[rows], is_gamma, rows, seed=1)
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_the_threshold_keeps_enough_gammas_and_prefers_fewer_hadrons() -> None:
    scores = np.concatenate([np.linspace(0, 1, 1000), np.linspace(0, 0.3, 1000)])
    is_gamma = np.arange(2000) < 1000
    threshold = best_threshold(scores, is_gamma)
    assert (scores[is_gamma] >= threshold).mean() >= FEWEST_GAMMAS
    assert not (scores[~is_gamma] >= threshold).any()


def test_no_hadron_left_is_no_infinite_quality() -> None:
    found = measure(np.arange(40) < 20, np.arange(40) < 20, np.arange(40), seed=1)
    assert np.isfinite(found.q)
