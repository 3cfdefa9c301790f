"""The shapes of the stacked area chart and of the gap histogram, ready to be drawn."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from idleq.scheduler.report.axis import LEFT, RIGHT, WIDTH, Mark, TimeScale, round_levels
from idleq.scheduler.report.gaps import GapBin, Gaps
from idleq.scheduler.report.series import Series
from idleq.scheduler.report.wording import core_time, duration

_TOP = 12
_AREA_HEIGHT = 240
_PANEL_HEIGHT = 96
_PANEL_GAP = 34


@dataclass(frozen=True, slots=True)
class Layer:
    """One band of the stack."""

    role: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaChart:
    """Cores over time, stacked; the top of the stack is the capacity."""

    width: int
    height: int
    floor: float
    layers: list[Layer]
    capacity: str
    times: list[Mark]
    levels: list[Mark]


def area_chart(series: Series, until_ms: int) -> AreaChart:
    """Stack main jobs, useful guests, guests not yet saved, overhead and idle cores."""
    scale = TimeScale(series.since_ms, until_ms)
    edges = [scale.x(series.since_ms + place * series.step_ms) for place in range(len(series.main_cores) + 1)]
    stack = [0.0] * len(series.main_cores)
    tops: list[tuple[str, list[float]]] = []
    for role, cores in (
        ("main", series.main_cores),
        ("useful", series.useful_cores),
        ("unsaved", series.unsaved_cores),
        ("overhead", series.overhead_cores),
        ("idle", series.idle_cores),
    ):
        stack = [below + more for below, more in zip(stack, cores, strict=True)]
        tops.append((role, stack))
    most = max(stack, default=0) or 1
    floor = _TOP + _AREA_HEIGHT

    def y(cores: float) -> float:
        return round(floor - cores / most * _AREA_HEIGHT, 2)

    # Drawn from the top of the stack down, each band over the one behind it: no seams between them.
    layers = [Layer(role, _band(edges, [y(top) for top in band], floor)) for role, band in reversed(tops)]
    return AreaChart(
        width=WIDTH,
        height=floor + 26,
        floor=floor,
        layers=layers,
        capacity=_steps(edges, [y(top) for top in stack]),
        times=scale.marks(),
        levels=[Mark(y(level), f"{level:g}") for level in round_levels(most)],
    )


def _steps(edges: Sequence[float], heights: Sequence[float]) -> str:
    if not heights:
        return ""
    parts = [f"M{edges[0]:g} {heights[0]:g}"]
    for place, height in enumerate(heights):
        if place and height != heights[place - 1]:
            parts.append(f"H{edges[place]:g}V{height:g}")
    return "".join(parts) + f"H{edges[len(heights)]:g}"


def _band(edges: Sequence[float], heights: Sequence[float], floor: float) -> str:
    line = _steps(edges, heights)
    return f"{line}V{floor:g}H{edges[0]:g}Z" if line else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar and what it says."""

    x: float
    y: float
    width: float
    height: float
    label: str
    tip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One row of bars."""

    title: str
    role: str
    floor: float
    bars: list[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Gaps by length on a logarithmic axis: how many, and their area; with the costs marked."""

    width: int
    height: int
    top: float
    floor: float
    panels: list[Panel]
    lengths: list[Mark]
    costs: list[Mark]


def histogram(gaps: Gaps) -> Histogram:
    """Draw the gaps' lengths."""
    bins = gaps.histogram
    low = _low(bins[0]) if bins else 1.0
    high = max(_high(bins[-1]) if bins else 10.0, 2 * low)
    cost_s = (gaps.freeze_ms + gaps.thaw_ms) / 1000
    if cost_s > 0:
        low, high = min(low, cost_s / 1.5), max(high, cost_s * 1.5)

    def x(seconds: float) -> float:
        share = math.log(seconds / low) / math.log(high / low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 2)

    top = _TOP + 30
    floors = [top + _PANEL_HEIGHT, top + 2 * _PANEL_HEIGHT + _PANEL_GAP]
    total = gaps.idle_core_s or 1
    edges = {edge for one in bins for edge in (one.from_s, one.to_s) if edge}
    return Histogram(
        width=WIDTH,
        height=floors[-1] + 40,
        top=top,
        floor=floors[-1],
        panels=[
            Panel(
                title="how many gaps",
                role="count",
                floor=floors[0],
                bars=_bars(bins, x, floors[0], [(one.gaps, f"{one.gaps:,}") for one in bins]),
            ),
            Panel(
                title="their share of the idle area",
                role="area",
                floor=floors[1],
                bars=_bars(
                    bins,
                    x,
                    floors[1],
                    [(one.idle_core_s, f"{100 * one.idle_core_s / total:.0f} %") for one in bins],
                ),
            ),
        ],
        lengths=[Mark(x(edge), duration(1000 * edge)) for edge in sorted(edges)],
        costs=[Mark(x(cost_s), f"freeze + thaw {duration(1000 * cost_s)}")] if cost_s > 0 else [],
    )


def _low(one: GapBin) -> float:
    return one.from_s or 0.5


def _high(one: GapBin) -> float:
    return 2.0 * _low(one) if one.to_s is None else float(one.to_s)


def _bars(
    bins: Iterable[GapBin], x: Callable[[float], float], floor: float, values: Sequence[tuple[float, str]]
) -> list[Bar]:
    most = max((value for value, _ in values), default=0) or 1
    bars = []
    for one, (value, label) in zip(bins, values, strict=True):
        left, right = x(_low(one)), x(_high(one))
        height = round(value / most * (_PANEL_HEIGHT - 18), 2)
        upto = "and more" if one.to_s is None else f"to {duration(1000 * one.to_s)}"
        bars.append(
            Bar(
                x=left + 1,
                y=round(floor - height, 2),
                width=round(max(right - left - 2, 1), 2),
                height=height,
                label=label if value else "",
                tip=f"{duration(1000 * one.from_s)} {upto}: {one.gaps:,} gaps, {core_time(one.idle_core_s)}",
            )
        )
    return bars
