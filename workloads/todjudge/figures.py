"""What is measured of a set of TODs beside held-out truth, and what would be good enough."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from idleq.workloads.todjudge.diversity import nearest_distance, spread
from idleq.workloads.todjudge.peaks import found_hits, largest, noise_width
from idleq.workloads.todjudge.spectra import in_bands, mean_spectrum
from idleq.workloads.tods.hits import MAX_HITS

Array = npt.NDArray[Any]

CLASSES: tuple[str, ...] = ("0", "1", "2+")

# Excursions that are compared in each class.
EXCURSIONS = {"0": 1, "1": 1, "2+": 2}

# Fewer than this are no basis for a figure; fewer than `FULL_CLASS` are one, but not for a verdict.
FEWEST = 50
FULL_CLASS = 2_000

# Figure -> (what is measured, the largest deviation that reaches the target).
TARGETS = {
    "spectrum": ("largest deviation of the power in any of ten logarithmic bands", 0.10),
    "amplitude_ks": ("distance (KS) of the distributions of the excursions' heights", 0.05),
    "time_ks": ("distance (KS) of the distributions of the excursions' times", 0.05),
    "nearest": ("deviation of the mean distance to the most similar TOD", 0.10),
    "spread": ("deviation of the differences between TODs", 0.10),
}

AMPLITUDE_BINS = 40


@dataclass(frozen=True)
class Classes:
    """A set's TODs by the number of hits; by what was asked for, or by what is found where nobody knows."""

    by_class: Mapping[str, Array]
    by: str

    @classmethod
    def asked(cls, tods: Array, hits: Array) -> "Classes":
        """By the number of hits that each TOD was made with."""
        return cls({name: tods[_is_in(name, hits)] for name in CLASSES}, "asked for")

    @classmethod
    def found(cls, tods: Array, width: float) -> "Classes":
        """By the number of excursions over the threshold, for noise of *width*."""
        hits = found_hits(tods, width, MAX_HITS)
        return cls({name: tods[_is_in(name, hits)] for name in CLASSES}, "found")


def measure(made: Classes, truth: Classes, names: Iterable[str] = tuple(TARGETS)) -> dict[str, Any]:
    """The figures *names* of each class, None where there are too few TODs."""
    return {name: measure_class(made.by_class[name], truth.by_class[name], name, names) for name in CLASSES}


def measure_class(made: Array, truth: Array, name: str, names: Iterable[str] = tuple(TARGETS)) -> dict[str, Any]:
    """The figures *names* of one class."""
    count = EXCURSIONS[name]
    few = min(len(made), len(truth))
    ways: dict[str, Callable[[], float]] = {
        "spectrum": lambda: float(np.abs(in_bands(*mean_spectrum(made)) / in_bands(*mean_spectrum(truth)) - 1).max()),
        "amplitude_ks": lambda: _distance(largest(made, count)[0], largest(truth, count)[0]),
        "time_ks": lambda: _distance(largest(made, count)[1], largest(truth, count)[1]),
        "nearest": lambda: abs(nearest_distance(made[:few]) / nearest_distance(truth[:few]) - 1),
        "spread": lambda: abs(spread(made) / spread(truth) - 1),
    }
    measured = {figure: round(ways[figure](), 4) if few >= FEWEST else None for figure in names}
    return {"tods": len(made), "truth_tods": len(truth), **measured}


def reached(figures: Mapping[str, Any], name: str) -> bool | None:
    """Whether figure *name* of a class reaches its target; None where there are too few TODs to say."""
    value = figures[name]
    if value is None or min(figures["tods"], figures["truth_tods"]) < FULL_CLASS:
        return None
    return bool(value <= TARGETS[name][1])


def curves(made: Classes) -> dict[str, Any]:
    """What the pictures show of a set: spectra, heights, an example, for each class that has TODs."""
    shown = {}
    for name, tods in made.by_class.items():
        if len(tods) < FEWEST:
            continue
        frequencies, powers = mean_spectrum(tods)
        heights, _ = largest(tods, EXCURSIONS[name])
        shown[name] = {
            "frequencies": _listed(frequencies[1:]),
            "powers": _listed(powers[1:]),
            "heights": _listed(np.quantile(heights, np.linspace(0, 1, 10 * AMPLITUDE_BINS + 1))),
            "example": _listed(tods[0]),
        }
    return shown


def truth_width(tods: Array, hits: Array) -> float:
    """The width of the noise in watts, from the truth without hits."""
    return noise_width(tods[hits == 0])


def _is_in(name: str, hits: Array) -> Array:
    inside: Array = hits >= 2 if name == "2+" else hits == int(name)  # noqa: PLR2004 - the class 2+
    return inside


def _distance(one: Array, other: Array) -> float:
    compared: Any = stats.ks_2samp(one.ravel(), other.ravel())
    return float(compared.statistic)


def _listed(values: Array) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
