"""The quality factor: how much a cut improves the significance of a source over its background.

    Q = (share of gammas kept) / sqrt(share of hadrons kept)

A cut is chosen on validation data, keeping at least half of the gammas there, and measured on others: with a free choice
Q grows without bound where a handful of hadrons is left.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# More than half by two standard deviations between 600 table rows of validation and others, so that half is also kept of
# events that the cut was not chosen by.
FEWEST_GAMMAS = 0.54

REPLICAS = 1_000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What a cut does to events that it was not chosen by."""

    q: float
    low: float
    high: float
    gamma_efficiency: float
    hadron_efficiency: float

    def to_dict(self) -> dict[str, float]:
        """Plain values, rounded."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def best_threshold(scores: Array, is_gamma: Array) -> float:
    """The threshold with the largest Q among those that keep enough gammas."""
    gammas, hadrons = np.sort(scores[is_gamma]), np.sort(scores[~is_gamma])
    candidates = gammas[: max(1, int(len(gammas) * (1 - FEWEST_GAMMAS)))]
    kept = 1 - np.searchsorted(gammas, candidates) / len(gammas)
    # Half an event stands for none, so that an empty background is no infinite quality.
    background = np.maximum(len(hadrons) - np.searchsorted(hadrons, candidates), 0.5) / len(hadrons)
    return float(candidates[np.argmax(kept / np.sqrt(background))])


def measure(is_kept: Array, is_gamma: Array, rows: Array, seed: int) -> Quality:
    """Q, with an interval by drawing rows of the table (not events: many events come from one row) anew."""
    random = np.random.default_rng(seed)
    gammas, hadrons = (_shares(is_kept[chosen], rows[chosen], random) for chosen in (is_gamma, ~is_gamma))
    replicas = _quality(gammas[1:], hadrons[1:])
    low, high = np.quantile(replicas, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Quality(
        q=float(_quality(gammas[:1], hadrons[:1])[0]),
        low=float(low),
        high=float(high),
        gamma_efficiency=float(gammas[0]),
        hadron_efficiency=float(hadrons[0]),
    )


def _shares(is_kept: Array, rows: Array, random: np.random.Generator) -> Array:
    """The share kept: of all events, then of each replica (1 + REPLICAS,)."""
    _, index = np.unique(rows, return_inverse=True)
    counts, kept = np.bincount(index), np.bincount(index, weights=is_kept)
    weights = random.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=REPLICAS)
    replicas = (weights @ kept) / (weights @ counts)
    floor = 0.5 / len(is_kept)
    shares: Array = np.maximum(np.concatenate([[is_kept.mean()], replicas]), floor)
    return shares


def _quality(gammas: Array, hadrons: Array) -> Array:
    return gammas / np.sqrt(hadrons)
