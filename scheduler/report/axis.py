"""Scales and marks of charts."""

from dataclasses import dataclass

from idleq.scheduler.report.wording import time_of_day

WIDTH = 1000
"""Of every chart, in its own units; the page scales it."""

LEFT = 64
"""Room for labels on the left."""

RIGHT = 26

_STEPS_MS = tuple(
    [1, 2, 5, 10, 20, 50, 100, 200, 500]
    + [1000 * seconds for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)]
    + [3_600_000 * hours for hours in (1, 2, 3, 6, 12, 24, 48, 168, 336, 720)]
)
_MOST_MARKS = 9


@dataclass(frozen=True, slots=True)
class Mark:
    """A label at a place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Maps engine time to the chart's width."""

    since_ms: int
    until_ms: int

    def x(self, at_ms: float) -> float:
        """Return the place of a moment, at the edge if it lies outside."""
        length = max(1, self.until_ms - self.since_ms)
        share = min(max((at_ms - self.since_ms) / length, 0), 1)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 2)

    def marks(self) -> list[Mark]:
        """Return marks at round times."""
        length = self.until_ms - self.since_ms
        step = next((step for step in _STEPS_MS if step * _MOST_MARKS >= length), max(1, length))
        first = -(-self.since_ms // step) * step
        return [Mark(self.x(at), time_of_day(at, step)) for at in range(first, self.until_ms + 1, step)]


def round_levels(most: float) -> list[float]:
    """Return three or four round values from 0 up to at most *most*."""
    if most <= 0:
        return [0]
    size = 10.0 ** (len(str(int(most))) - 1)
    step = next((size * part for part in (0.2, 0.25, 0.5, 1, 2, 5) if size * part * 4 >= most), size * 10)
    if step > 1:
        step = round(step)
    levels = [0.0]
    while levels[-1] + step <= most * 1.001:
        levels.append(levels[-1] + step)
    return levels
