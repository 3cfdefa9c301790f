"""A sweep of scenarios: from its file to rows of numbers."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, partial
from pathlib import Path
from typing import Any

import idleq
from idleq.simulator.checkpoint import code_digest
from idleq.simulator.errors import BadSweep, ImpossibleParameters, SimulatorError, TraceUnknown
from idleq.simulator.gain import run_scenario
from idleq.simulator.gaincount import GuestSums, MainSums, Shares, SiteSums
from idleq.simulator.grid import SEED, Place, read_sweep
from idleq.simulator.outagesource import digest_of_outages
from idleq.simulator.parquet import parquet_of
from idleq.simulator.places import Places
from idleq.simulator.rows import Row, RowsFile
from idleq.simulator.scenariokeys import COST, KEYS, plain, scenario_of
from idleq.simulator.sources import digest_of_source, load_trace, processors_drawn
from idleq.simulator.stage import nodes_of, part_of
from idleq.simulator.sweep import run_points
from idleq.simulator.trace import Trace

RESULTS = tuple(one.name for part in (SiteSums, Shares, GuestSums, MainSums) for one in fields(part))
"""The numbers of a row."""

OTHERS = ("grid", "trace_digest", "idleq", "code")
"""What a row has beside what the sweep's file names, and its numbers."""

CODE_DIGITS = 16
"""So much of the digest of the code that has made a row tells any two apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """All runs of a sweep file, checked; as many *points* and *keys* as *places*, several of which may be the same run."""

    places: Sequence[Place]
    points: Sequence[Mapping[str, Any]]
    keys: Sequence[str]
    digests: Sequence[str]

    @property
    def runs(self) -> int:
        """How many runs differ from each other."""
        return len(set(self.keys))


def load_sweep(path: Path, kept: Places) -> Sweep:
    """Read *path* and check every run of it.

    Raises:
        BadSweep: it cannot be used; the message says where, and nothing was run.
        TraceUnknown, BadTrace, BadOutages: one of the files that it names is not there, or cannot be used.
    """
    places = read_sweep(path, [*(key for key in KEYS), COST], (*RESULTS, *OTHERS))
    part = cache(partial(_part, cache(partial(load_trace, places=kept)), kept))
    digest_of_away = cache(digest_of_outages)
    points, keys, digests = [], [], []
    seeds: dict[str, int] = {}
    for place in places:
        try:
            scenario = scenario_of(place.point)
            point = plain(scenario)
            away = digest_of_away(scenario.outage_source.file)
            digest, processors = part(point["trace"], point["procs"], point["from"], point["days"])
            nodes_of(processors, point["node_cores"])
            digests.append(digest)
            if not scenario.is_drawn:
                _refuse_idle_seeds(
                    seeds, json.dumps([digest, away, point | {SEED: None}], sort_keys=True), scenario.seed
                )
        except TraceUnknown as error:
            raise TraceUnknown(f"{path}: grid {place.grid}: {error}") from error
        except SimulatorError as error:
            wrong = f"{path}: grid {place.grid}, at {json.dumps(place.point)}: {error}"
            kind = BadSweep if isinstance(error, ImpossibleParameters) else type(error)
            raise kind(wrong) from error
        points.append(point)
        keys.append(json.dumps([digests[-1], away, point], sort_keys=True))
    return Sweep(places=places, points=points, keys=keys, digests=digests)


def _refuse_idle_seeds(seeds: dict[str, int], otherwise: str, seed: int) -> None:
    """Raise ImpossibleParameters if a run that its seed does not change, and that is *otherwise* the same, has another one already."""
    if seeds.setdefault(otherwise, seed) != seed:
        raise ImpossibleParameters(
            "its seeds give the same numbers again and again, as nothing is drawn: give shake = 60 (every main job comes in up to "
            "a minute later), or seeds = 1"
        )


def _part(
    load: Callable[..., Trace], kept: Places, source: str, processors: int | None, begin: float, days: float | None
) -> tuple[str, int]:
    """Return digest and processors of *source*, once there are jobs in that part of it; what is drawn is not looked into."""
    digest, drawn = digest_of_source(source, kept, processors), processors_drawn(source, processors)
    if drawn is not None:
        return digest, drawn
    trace = part_of(load(source, processors=processors), begin, days)
    return digest, trace.processors


def made_by() -> str:
    """Return what names the code that makes rows."""
    return f"{idleq.__version__} {code_digest()}"


def run_sweep(
    sweep: Sweep,
    kept: Places,
    rows: RowsFile,
    processes: int,
    *,
    show: Callable[[int], None] = lambda _: None,
    is_leaving: Callable[[], bool] = lambda: False,
) -> list[Row]:
    """Return a row for each run that the file asks for, in its order.

    Raises:
        SimulationLeft, SweepBroken, SweepNotKept: and all finished rows are kept.
    """
    once = dict(zip(sweep.keys, sweep.points, strict=True))
    found = run_points(
        list(once.values()), list(once), partial(_work, places=kept), rows, processes, show=show, is_leaving=is_leaving
    )
    numbers = dict(zip(once, found, strict=True))
    return [
        {
            "grid": place.grid,
            **{key: _cell(value) for key, value in {**place.named, **place.point}.items()},
            "trace_digest": digest,
            "idleq": idleq.__version__,
            "code": code_digest()[:CODE_DIGITS],
            **numbers[key],
        }
        for place, key, digest in zip(sweep.places, sweep.keys, sweep.digests, strict=True)
    ]


def _work(point: Mapping[str, Any], places: Places) -> Row:
    return dict(run_scenario(scenario_of(point), places).gain.flat())


def _cell(value: object) -> object:
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping | list) else value


def as_csv(rows: Sequence[Row]) -> bytes:
    """Return *rows* as a table; a column for each name that a row has, in the order in which they come."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_json(rows: Sequence[Row]) -> bytes:
    """Return *rows* as one JSON list."""
    return json.dumps(rows, indent=1).encode() + b"\n"


def as_parquet(rows: Sequence[Row]) -> bytes:
    """Return *rows* as Parquet, with the columns that `as_csv` has."""
    columns = {name: [row.get(name) for row in rows] for name in _columns(rows)}
    return parquet_of(columns, {"idleq": idleq.__version__, "code": code_digest()})


def _columns(rows: Sequence[Row]) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return sorted(names, key=lambda name: name in RESULTS)  # what differs first, then the numbers
