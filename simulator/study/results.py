"""A comparison as values for JSON, and as tables for CSV and Parquet; each says what it was made from."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idleq.simulator.parquet import parquet_of
from idleq.simulator.scenariokeys import plain
from idleq.simulator.study.comparison import Comparison
from idleq.simulator.study.figures import FigureTable

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
    scenario = {key: value for key, value in plain(comparison.scenario).items() if key != "strategy"}
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
        "scenario": scenario,
        "replications": comparison.replications,
        "strategies": {str(strategy): _strategy(comparison, place) for place, strategy in enumerate(comparison.gains)},
    }


def _strategy(comparison: Comparison, place: int) -> dict[str, Any]:
    strategy = list(comparison.gains)[place]
    names = [name for name, _ in comparison.gains[strategy][0].flat()]
    means = {}
    for name in names:
        found = comparison.interval(strategy, name)
        if found is not None:
            means[name] = {"mean": found.mean, "half_width_95": found.half_width, "count": found.count}
    runs = [
        {"seed": seed, **dict(gain.flat())}
        for seed, gain in zip(comparison.seeds, comparison.gains[strategy], strict=True)
    ]
    return {"means": means, "runs": runs}


def table_of(comparison: Comparison) -> FigureTable:
    """Return one row for each run."""
    first = next(iter(comparison.gains.values()))[0]
    names = tuple(name for name, _ in first.flat())
    rows = [
        (str(strategy), seed, *(value for _, value in gain.flat()))
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
