"""The figures of images, in the groups in which a reader looks for them: targets, Hillas parameters, size classes, the rest."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from bench.science.figures import Figure

TO_HELD_OUT = ", KS to held-out gammas"
FIRST_DRAW = "share of its class at the first draw"
ALL_CLASSES = "first draw, all classes"
"""The line among the size classes that it has: inside the edges all are in the end, by construction."""

OF_A_CLASS = re.compile(r"class (?P<number>\d+): (?:size, KS|share inside)")

HILLAS = {
    "log_size": "size",
    "pixels": "lit pixels",
    "length": "length",
    "width": "width",
    "concentration": "share of the two brightest pixels",
    "brightest": "brightest pixel",
    "distance": "distance from the camera's centre",
    "alpha": "alpha",
    "skewness": "skewness along the axis",
    "kurtosis": "kurtosis along the axis",
}
"""As evaluate-images calls a parameter -> as people do."""

CORRELATIONS = "correlations between parameters, the largest difference"


def aimed(figures: Sequence[Figure]) -> list[Figure]:
    """Those with a target, then those that something was published of."""
    chosen = [figure for figure in figures if figure.target is not None or figure.paper]
    return sorted(chosen, key=lambda figure: figure.target is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The figures of one model.

    Attributes:
        aimed: with a target, or with something published.
        hillas: how far each Hillas parameter is from the truth's, under the name that people give it.
        classes: by its number what is measured of each size class: how far its sizes are from the training's, the share inside its edges;
            then what is measured of all of them.
        others: what is left.
    """

    aimed: Sequence[Figure]
    hillas: Sequence[Figure]
    classes: Mapping[str, Sequence[Figure]]
    others: Sequence[Figure]

    @classmethod
    def of(cls, figures: Sequence[Figure]) -> Self:
        """Each figure in one of them."""
        first = aimed(figures)
        rest = [figure for figure in figures if figure not in first]
        parameters = {f"{name}{TO_HELD_OUT}": said for name, said in HILLAS.items()} | {CORRELATIONS: CORRELATIONS}
        return cls(
            aimed=first,
            hillas=[replace(one, name=parameters[one.name]) for one in rest if one.name in parameters],
            classes=_by_class(rest),
            others=[one for one in rest if one.name not in parameters and not _is_of_classes(one)],
        )


def _is_of_classes(figure: Figure) -> bool:
    return figure.name == FIRST_DRAW or OF_A_CLASS.match(figure.name) is not None


def _by_class(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    found: dict[str, list[Figure]] = {}
    for one in figures:
        if of_a_class := OF_A_CLASS.match(one.name):
            found.setdefault(of_a_class["number"], []).append(one)
    first = [one for one in figures if one.name == FIRST_DRAW]
    return found | ({ALL_CLASSES: first} if first else {})
