"""A comparison as values for JSON, and as tables for CSV and Parquet; each says what it was made from."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from idleq.simulator.parquet import parquet_of
from idleq.simulator.scenariokeys import KEYS_ALONE, plain
from idleq.simulator.strategies import Strategy
from idleq.simulator.study.comparison import Alone, Comparison
from idleq.simulator.study.figures import FigureTable
from idleq.simulator.written import Plain

FORMAT = 1
"""Of results.json: raised when a reader would misunderstand an old one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What numbers were made from; stands in every file."""

    version: str
    trace: str
    digest: str
    seeds: Sequence[int]

    @property
    def line(self) -> str:
        """All of it in one line."""
        seeds = f"seed {self.seeds[0]}" if len(self.seeds) == 1 else f"seeds {self.seeds[0]} to {self.seeds[-1]}"
        return f"idleq {self.version}; trace {self.trace} {self.digest}; {seeds}"


def origin_of(comparison: Comparison, version: str) -> Origin:
    """Return what *comparison* was made from, by that version of idleq."""
    trace = next(iter(comparison.first.values())).stage.trace
    return Origin(version=version, trace=trace.name, digest=trace.digest, seeds=comparison.seeds)


def value_of(comparison: Comparison, version: str) -> dict[str, Any]:
    """Return all numbers, as one value for JSON."""
    stage = next(iter(comparison.first.values())).stage
    return {
        "format": FORMAT,
        "idleq": version,
        "trace": {
            "name": stage.trace.name,
            "digest": stage.trace.digest,
            "jobs": len(stage.trace.table),
            "processors": stage.trace.processors,
            "load": stage.trace.load,
            "dropped": stage.trace.dropped_by_reason(),
            "shortened": stage.trace.shortened,
        },
        "scenario": settings_of(comparison),
        "replications": comparison.replications,
        "strategies": {str(strategy): _strategy(comparison, strategy) for strategy in comparison.gains},
        **_whole(comparison.alone),
    }


def _whole(alone: Alone | None) -> dict[str, Any]:
    """Return what the whole run of a main queue alone came to, warm-up and drain and all."""
    if alone is None:
        return {}
    run = alone.run
    sums = {"metrics": asdict(run.metrics), "restarts": run.restarts, "lost_processor_seconds": run.lost}
    return {"engine": str(alone.engine), **sums}


def settings_of(comparison: Comparison) -> dict[str, Plain]:
    """Return how it was run, under the names of a scenario, from which it can be made again; the strategies stand elsewhere."""
    given = plain(comparison.scenario)
    names = given.keys() - {"strategy"} if comparison.alone is None else KEYS_ALONE
    return {name: value for name, value in given.items() if name in names}


def _strategy(comparison: Comparison, strategy: Strategy) -> dict[str, Any]:
    runs = [
        {"seed": seed, **comparison.flat(gain)}
        for seed, gain in zip(comparison.seeds, comparison.gains[strategy], strict=True)
    ]
    return {"means": means_of(comparison, strategy), "runs": runs}


def means_of(comparison: Comparison, strategy: Strategy) -> dict[str, dict[str, float | None]]:
    """Return the mean of each number of *strategy*, with its interval."""
    means = {}
    for name in comparison.flat(comparison.gains[strategy][0]):
        found = comparison.interval(strategy, name)
        if found is not None:
            means[name] = {"mean": found.mean, "half_width_95": found.half_width, "count": found.count}
    return means


def intervals(comparison: Comparison) -> FigureTable:
    """Return the means of all numbers with their 95 % intervals."""
    rows = [
        (str(strategy), name, *found.values())
        for strategy in comparison.gains
        for name, found in means_of(comparison, strategy).items()
    ]
    columns = ("strategy", "measure", "mean", "half_width_95", "count")
    return FigureTable(name="intervals", title="Means and intervals", columns=columns, rows=rows)


def table_of(comparison: Comparison) -> FigureTable:
    """Return one row for each run."""
    first = next(iter(comparison.gains.values()))[0]
    names = tuple(comparison.flat(first))
    rows = [
        (str(strategy), seed, *comparison.flat(gain).values())
        for strategy, gains in comparison.gains.items()
        for seed, gain in zip(comparison.seeds, gains, strict=True)
    ]
    return FigureTable(name="results", title="All runs", columns=("strategy", "seed", *names), rows=rows)


def csv_of(table: FigureTable, origin: Origin) -> bytes:
    """Return *table* as CSV, after one comment line that says what it was made from."""
    text = io.StringIO()
    text.write(f"# {origin.line}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return text.getvalue().encode()


def as_parquet(table: FigureTable, origin: Origin) -> bytes:
    """Return *table* as Parquet; what it was made from is in the file's metadata."""
    columns = {name: [row[place] for row in table.rows] for place, name in enumerate(table.columns)}
    return parquet_of(columns, _metadata(origin))


def _metadata(origin: Origin) -> Mapping[str, str]:
    seeds = f"{origin.seeds[0]}-{origin.seeds[-1]}"
    return {"idleq": origin.version, "trace": origin.trace, "trace_digest": origin.digest, "seeds": seeds}
