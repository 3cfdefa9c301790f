"""Who held the cores over time, as means over equal steps of time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from idleq.ids import Millis
from idleq.scheduler.report.segment import KINDS, Kind
from idleq.scheduler.report.slices import Slice

MOST_BINS = 600
"""About one for each pixel of a chart; more would only make the page slow."""

_NICE_MS = tuple(
    [1, 2, 5, 10, 20, 50, 100, 200, 500]
    + [1000 * seconds for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)]
    + [3_600_000 * hours for hours in (1, 2, 3, 6, 12, 24, 48, 168)]
)

_USEFUL_KIND = KINDS.index(Kind.USEFUL)
_UNSAVED_KIND = KINDS.index(Kind.UNSAVED)
_LAYERS = range(5)
_MAIN, _USEFUL, _UNSAVED, _OVERHEAD, _IDLE = _LAYERS


def step_ms(length_ms: int, most: int = MOST_BINS) -> int:
    """Return the shortest step of a length people name that cuts *length_ms* into at most *most* steps."""
    for step in _NICE_MS:
        if step * most >= length_ms:
            return step
    return -(-length_ms // most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Mean cores in each step of *step_ms* from *since_ms* on (the last step may be shorter), in layers that sum to the capacity."""

    since_ms: int
    step_ms: int
    main_cores: tuple[float, ...]
    useful_cores: tuple[float, ...]
    unsaved_cores: tuple[float, ...]
    overhead_cores: tuple[float, ...]
    idle_cores: tuple[float, ...]


@dataclass(slots=True)
class Binner:
    """Adds up slices in constant time each: a change of level is noted in its own step and from the next step on."""

    since: Millis
    until: Millis
    step: int = field(init=False)
    partial: list[list[int]] = field(init=False)
    rises: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.step = step_ms(self.until - self.since)
        count = -(-(self.until - self.since) // self.step)
        self.partial = [[0] * (count + 1) for _ in _LAYERS]
        self.rises = [[0] * (count + 2) for _ in _LAYERS]

    def add(self, piece: Slice) -> None:
        self._level(_MAIN, piece, piece.main)
        self._level(_IDLE, piece, piece.cores - piece.main - piece.held)
        if piece.held:
            useful, unsaved = piece.guests[_USEFUL_KIND], piece.guests[_UNSAVED_KIND]
            self._level(_USEFUL, piece, useful)
            self._level(_UNSAVED, piece, unsaved)
            self._level(_OVERHEAD, piece, piece.held - useful - unsaved)

    def series(self) -> Series:
        main, useful, unsaved, overhead, idle = (self._means(layer) for layer in _LAYERS)
        return Series(
            since_ms=self.since,
            step_ms=self.step,
            main_cores=main,
            useful_cores=useful,
            unsaved_cores=unsaved,
            overhead_cores=overhead,
            idle_cores=idle,
        )

    def _level(self, layer: int, piece: Slice, cores: int) -> None:
        if cores:
            self._change(layer, piece.since, cores)
            self._change(layer, piece.until, -cores)

    def _change(self, layer: int, at: Millis, cores: int) -> None:
        place, within = divmod(at - self.since, self.step)
        self.partial[layer][place] += cores * (self.step - within)
        self.rises[layer][place + 1] += cores

    def _means(self, layer: int) -> tuple[float, ...]:
        levels: Sequence[int] = [0, *accumulate(self.rises[layer][1:])]
        means = []
        for place, partial in enumerate(self.partial[layer][:-1]):
            # In the last step the end itself takes back what would lie behind it.
            width = min(self.step, self.until - self.since - place * self.step)
            means.append((partial + levels[place] * self.step) / width)
        return tuple(means)
