"""One figure of an evaluation: what was measured, what it should be, and what the truth itself gives."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

# Images on either side: with fewer, chance alone may put a figure on either side of its target.
ENOUGH = 20_000
TOO_FEW = "too few images"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """*baselines* are the same measure where both sides are true; *paper* says what was published, on other data.

    *events* are the images on the side that has fewer.
    """

    name: str
    value: float
    target: float | None = None
    better: Literal["less", "more"] = "less"
    baselines: Mapping[str, float] = field(default_factory=dict)
    paper: str = ""
    events: int = 0

    @property
    def is_reached(self) -> bool | None:
        """Whether the target was reached; None without one, and where there are too few images to say so."""
        if self.target is None or self.events < ENOUGH:
            return None
        return self.value <= self.target if self.better == "less" else self.value >= self.target

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded."""
        values = asdict(self)
        del values["events"]  # the evaluation tells them once
        values["value"] = round(self.value, 5)
        values["baselines"] = {name: round(value, 5) for name, value in self.baselines.items()}
        return {**values, "reached": self.is_reached}


def table(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines of a Markdown table of figures as `to_dict` gives them."""
    # By name: figures that come back from a checkpoint have their baselines in another order.
    baselines = sorted({name for figure in figures for name in figure["baselines"]})
    header = ["figure", "value", "target", "reached", *baselines, "paper"]
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for figure in figures:
        sign = "<=" if figure["better"] == "less" else ">="
        target = "" if figure["target"] is None else f"{sign} {figure['target']:g}"
        reached = {True: "yes", False: "**not reached**", None: TOO_FEW if target else ""}[figure["reached"]]
        given = [f"{figure['baselines'][name]:.3f}" if name in figure["baselines"] else "" for name in baselines]
        cells = [figure["name"], f"{figure['value']:.3f}", target, reached, *given, figure["paper"]]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
