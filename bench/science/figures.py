"""What the judges have measured, in one form for images and for time-ordered data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from idleq.workloads.todjudge.production import PRODUCTION_GOAL, share_of_length

AGAIN, RESAMPLED = "truth again", "resample and render"
BASELINES = (AGAIN, RESAMPLED, "white noise", "coloured noise")
"""What stands beside the models and is none, in this order."""

TOD_FIGURES = {
    "spectrum": "power spectrum, worst band off by",
    "amplitude_ks": "heights, KS",
    "time_ks": "times, KS",
    "nearest": "nearest TOD, off by",
    "spread": "spread, off by",
}
TOD_CLASSES = {"0": "no hit", "1": "one hit", "2+": "2+ hits"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing that was measured.

    Attributes:
        name: what.
        value: None where there was too little to measure.
        target: what it should reach, if anything.
        better: whether less or more of it is better.
        reached: None without a target, and where there was too little for a verdict.
        baselines: the same of what is no model: of truth, or of mere noise.
        paper: what was published, of other data.
    """

    name: str
    value: float | None
    target: float | None = None
    better: Literal["less", "more"] = "less"
    reached: bool | None = None
    baselines: Mapping[str, float | None] = field(default_factory=dict)
    paper: str = ""

    @property
    def shown(self) -> str:
        """The value, to one more place where in three it would look like the target that it misses."""
        value = number(self.value)
        if self.reached is False and self.target is not None and value == number(self.target):
            return f"{self.value:.4f}"
        return value


def of_images(evaluation: Mapping[str, Any]) -> list[Figure]:
    """The figures of an evaluation.json of evaluate-images."""
    return [Figure(**one) for one in evaluation["figures"]]


def of_tods(label: str, judged: Mapping[str, Any], seconds: Mapping[str, float]) -> list[Figure]:
    """The figures of a figures.json of evaluate-tods for the set *label*; *seconds* are its speed.json."""
    others = {name: one["classes"] for name, one in judged["sets"].items() if name != label}
    classes, reached = judged["sets"][label]["classes"], judged["reached"][label]
    figures = [
        Figure(
            name=f"{said}: {what}",
            value=classes[kind][key],
            target=judged["targets"][key],
            reached=reached[kind][key],
            baselines={name: other[kind][key] for name, other in others.items()},
        )
        for kind, said in TOD_CLASSES.items()
        for key, what in TOD_FIGURES.items()
    ]
    if label in seconds:
        share = share_of_length(seconds[label])
        figures.append(
            Figure(
                name="time of one core for a TOD, share of its length",
                value=share,
                target=PRODUCTION_GOAL,
                reached=share <= PRODUCTION_GOAL,
                paper="slides: 1e-4 is the goal",
            )
        )
    return figures


def verdict(figures: Sequence[Figure]) -> str:
    """How many targets are reached, and which are not."""
    aimed = [figure for figure in figures if figure.target is not None]
    missed = [f"{figure.name} ({figure.shown})" for figure in aimed if figure.reached is False]
    unknown = sum(figure.reached is None for figure in aimed)
    counted = f"{len(aimed) - len(missed) - unknown} of {len(aimed)} targets."
    said = [f"Not reached: {'; '.join(missed)}."] if missed else []
    said += [f"{unknown} without a verdict: too few of them were measured."] if unknown else []
    return " ".join([counted, *(said or ["All are reached."])])


def number(value: float | None) -> str:
    """Three places, or what is left of a value that has nothing in them."""
    if value is None:
        return "none"
    return f"{value:.1e}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"
