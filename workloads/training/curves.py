"""Curves of a training against the step."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from idleq.workloads.png import as_png

COLOURS = ("#c1602a", "#3d6fb4", "#4a8f5c", "#8459a5")

LEAST_FOR_A_LINE = 2
TOO_SHORT = "Too short a training for a curve: one report."


def marker_for(points: Sequence[object]) -> str:
    """A dot where there is but one point, which a line alone would not show."""
    return "" if len(points) >= LEAST_FOR_A_LINE else "o"


def draw_curves(
    reports: Sequence[Mapping[str, float]], names: Mapping[str, str], *, title: str, ylabel: str, level: float | None
) -> bytes:
    """The metrics in *names* (metric -> label) against the step, with a dotted line at *level*."""
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    longest = 0
    for (name, label), colour in zip(names.items(), COLOURS, strict=False):
        points = [(report["step"], report[name]) for report in reports if name in report]
        longest = max(longest, len(points))
        steps, values = [step for step, _ in points], [value for _, value in points]
        axes.plot(steps, values, color=colour, label=label, marker=marker_for(points))
    if longest < LEAST_FOR_A_LINE:
        axes.text(0.02, 0.02, TOO_SHORT, transform=axes.transAxes, color="0.4", fontsize=8)
    if level is not None:
        axes.axhline(level, color="0.6", linewidth=0.8, linestyle=":")
    axes.set(xlabel="step", ylabel=ylabel, title=title)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return as_png(figure)
