"""What each figure shows, as a table: drawn by `plots`, and written as CSV beside the picture."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np

from idleq.simulator.gain import GainResult
from idleq.simulator.gaincount import clipped, slowdowns_of, unit_cores_of, waits_of
from idleq.simulator.pieces import OVERHEAD, Floats, Part
from idleq.simulator.pieces import areas as area_between
from idleq.simulator.strategies import Strategy
from idleq.simulator.study.comparison import Comparison

HOUR_MS, DAY_MS, SECOND = 3_600_000, 86_400_000, 1000
STEPS_MS = (600_000, HOUR_MS, DAY_MS, 7 * DAY_MS)
MOST_STEPS = 800
MOST_POINTS = 400
MOST_ROWS = 200
SHORTEST_GAP_S = 1
BINS_A_DECADE = 5

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureTable:
    """A figure's numbers.

    Attributes:
        name: of the files, without what says their form.
        title: what a person reads above the figure.
        columns: names, with units.
        rows: as many cells each.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


LAYERS = ("main", "killed", "useful", "unsaved", "overhead", "away", "idle")
"""Of the stacked area, from below; the last fills what is left of the capacity."""


def areas(comparison: Comparison) -> FigureTable:
    """Who held the cores over time, as means over steps, with the first seed."""
    rows: list[tuple[Cell, ...]] = []
    for strategy, result in comparison.first.items():
        rows.extend((str(strategy), *row) for row in _layers(result))
    columns = ("strategy", "since_s", "until_s", *(f"{layer}_cores" for layer in LAYERS))
    return FigureTable(name="areas", title="Who held the cores", columns=columns, rows=rows)


def _layers(result: GainResult) -> Iterator[tuple[Cell, ...]]:
    stage = result.stage
    length = stage.until - stage.since
    step = next((step for step in STEPS_MS if length <= MOST_STEPS * step), STEPS_MS[-1])
    edges = [*range(stage.since, stage.until, step), int(stage.until)]
    held = result.recorded.ledger.pieces.areas(edges)
    overhead = sum((held[part] for part in OVERHEAD), np.zeros(len(edges) - 1))
    cores = stage.nodes * result.scenario.node_cores
    away = _away(result, edges)
    for place, (since, until) in enumerate(pairwise(edges)):
        layers = (held[Part.MAIN], held[Part.KILLED], held[Part.USEFUL], held[Part.UNSAVED], overhead, away)
        means = [float(area[place]) / (until - since) for area in layers]
        rounded = [round(mean, 3) for mean in means]
        yield (since / SECOND, until / SECOND, *rounded, round(max(0.0, cores - sum(means)), 3))


def _away(result: GainResult, edges: list[int]) -> Floats:
    """Return the core-milliseconds between each two of *edges* that nobody could have."""
    gone = np.asarray([gap[1:] for gap in result.stage.away], dtype=np.int64).reshape(-1, 3).T
    cores = gone[2].astype(np.float64) * unit_cores_of(result.scenario)
    return area_between(gone[0], gone[1], cores, np.asarray(edges, dtype=np.int64))


def gaps(comparison: Comparison) -> FigureTable:
    """How long the gaps of the run without guests are, with the first seed."""
    result = next(iter(comparison.first.values()))
    stage = result.stage
    found = clipped(stage.gaps, stage.since, stage.until)
    lengths = np.asarray([gap.length_ms / SECOND for gap in found])
    cores = np.asarray([gap.units for gap in found]) * unit_cores_of(result.scenario)
    edges = _log_edges(float(lengths.max()) if len(lengths) else 1.0)
    counts = np.histogram(lengths, edges, weights=cores)[0]
    core_hours = np.histogram(lengths, edges, weights=lengths * cores / 3600)[0]
    rows = [
        (round(low, 3), round(high, 3), round(float(counts[place])), round(float(core_hours[place]), 4))
        for place, (low, high) in enumerate(pairwise(edges))
    ]
    columns = ("from_s", "to_s", "core_gaps", "idle_core_h")
    return FigureTable(name="gaps", title="How long gaps are", columns=columns, rows=rows)


def _log_edges(longest: float) -> list[float]:
    decades = max(1, int(np.ceil(np.log10(max(longest, 10.0) * 1.0001))))
    return [0.0, *(10 ** (place / BINS_A_DECADE) for place in range(decades * BINS_A_DECADE + 1))]


def waits(comparison: Comparison) -> FigureTable:
    """What share of the main jobs waits no longer, and is slowed down no more; with the first seed."""
    rows: list[tuple[Cell, ...]] = []
    for strategy, result in comparison.first.items():
        waited = waits_of(result.stage, result.recorded.starts)
        slowed = slowdowns_of(result.stage, waited, result.scenario.tau)
        rows.extend((str(strategy), *row) for row in _quantiles(waited, slowed))
    columns = ("strategy", "share_of_jobs", "wait_s", "bounded_slowdown")
    return FigureTable(name="waits", title="What main jobs wait", columns=columns, rows=rows)


def _quantiles(waited: Floats, slowed: Floats) -> Iterable[tuple[Cell, ...]]:
    at = np.linspace(0, 1, min(MOST_POINTS, len(waited)) + 1)
    both = np.quantile(waited, at, method="inverted_cdf"), np.quantile(slowed, at, method="inverted_cdf")
    return zip(at.round(5).tolist(), both[0].tolist(), both[1].round(5).tolist(), strict=True)


def gantt(comparison: Comparison) -> FigureTable:
    """What each node did on the day on which guests did most; of large sites the first nodes.

    Saves count as the work around them: when each was is not known, and a thin band of their mean is no core that anybody held.
    """
    strategy = shown_strategy(comparison)
    result = comparison.first[strategy]
    begin = _fullest_day(result)
    nodes: dict[int, list[tuple[int, int, float, Part]]] = {}
    for part, node, since, until, cores in result.recorded.ledger.pieces.within(begin, begin + DAY_MS):
        if node < MOST_ROWS:
            drawn = Part.USEFUL if part is Part.SAVE else part
            nodes.setdefault(node, []).extend([(since, 1, cores, drawn), (until, -1, cores, drawn)])
    rows = [(node, *row) for node in sorted(nodes) for row in _stacked(nodes[node])]
    columns = ("node", "since_s", "until_s", "part", "from_core", "cores")
    return FigureTable(name="gantt", title=f"One day of the nodes, strategy {strategy}", columns=columns, rows=rows)


def _stacked(changes: list[tuple[int, int, float, Part]]) -> Iterator[tuple[Cell, ...]]:
    """Yield who has which cores of a node, main jobs first: since, until, part, from which core, how many.

    *changes* are times at which so many cores are held more (1) or less (-1) for a part.
    """
    held = dict.fromkeys(Part, 0.0)
    open_since: dict[tuple[Part, float, float], int] = {}
    for at, together in groupby(sorted(changes), key=itemgetter(0)):
        for _, sign, cores, part in together:
            held[part] += sign * cores
        bands, below = set(), 0.0
        for part in Part:
            cores = round(held[part], 3)
            if cores > 0:
                bands.add((part, round(below, 3), cores))
            below += cores
        for band in sorted(open_since.keys() - bands):
            part, low, cores = band
            yield (open_since.pop(band) / SECOND, at / SECOND, part.name.lower(), low, cores)
        for band in bands - open_since.keys():
            open_since[band] = at


def _fullest_day(result: GainResult) -> int:
    """Return when the day begins, of those from the beginning of the measured time on, that has most useful guest work."""
    stage = result.stage
    starts = range(stage.since, max(stage.since + 1, stage.until - DAY_MS + 1), DAY_MS)
    useful = result.recorded.ledger.pieces.areas([*starts, starts[-1] + DAY_MS])[Part.USEFUL]
    return starts[int(np.argmax(useful))]


def shown_strategy(comparison: Comparison) -> Strategy:
    """Return the strategy that a figure of one of them shows: idleq's, else the last."""
    return Strategy.IDLEQ if Strategy.IDLEQ in comparison.first else list(comparison.first)[-1]


BARS = ("main", "useful", "overhead", "idle", "effective", "harvest")


def bars(comparison: Comparison) -> FigureTable:
    """Effective utilisation and harvest of each strategy, with 95 % intervals."""
    rows: list[tuple[Cell, ...]] = []
    for strategy in comparison.gains:
        for name in BARS:
            found = comparison.interval(strategy, name)
            if found is not None:
                rows.append((str(strategy), name, found.mean, found.half_width, found.count))
    columns = ("strategy", "measure", "mean", "half_width_95", "count")
    return FigureTable(name="strategies", title="What each strategy makes of it", columns=columns, rows=rows)


BY_WEEK = ("wait_s", "slowdown", "main")


def weeks(comparison: Comparison) -> FigureTable:
    """Return the means of a single run's weeks, from which its 95 % intervals are, with these; no rows where they are too few."""
    rows: list[tuple[Cell, ...]] = []
    for strategy, found in comparison.weeks.items():
        for name in BY_WEEK if found else ():
            whole = comparison.interval(strategy, name)
            if name in found and whole is not None:
                means = (whole.mean, whole.half_width)
                rows += [(str(strategy), name, place, one, *means) for place, one in enumerate(found[name], start=1)]
    columns = ("strategy", "measure", "week", "mean_of_week", "mean", "half_width_95")
    return FigureTable(name="weeks", title="Week by week", columns=columns, rows=rows)


def all_tables(comparison: Comparison) -> tuple[FigureTable, ...]:
    """Return what all figures show; of a main queue alone there is neither a strategy to show nor a guest."""
    if comparison.alone is not None:
        by_week = weeks(comparison)
        return (areas(comparison), gaps(comparison), waits(comparison), *([by_week] if by_week.rows else []))
    return (bars(comparison), areas(comparison), gaps(comparison), waits(comparison), gantt(comparison))
