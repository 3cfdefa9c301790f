"""What `idleq simulate` is given as TRACE: a file, a name, or a recipe to draw jobs by."""

from collections.abc import Callable, Mapping
from itertools import islice

from idleq.scheduler.nearest import did_you_mean
from idleq.simulator.errors import BadTrace, ImpossibleParameters
from idleq.simulator.jobs import scaled
from idleq.simulator.library import find, plain_name
from idleq.simulator.lublin import Lublin, lublin
from idleq.simulator.places import Places
from idleq.simulator.swf import clean
from idleq.simulator.synthetic import Stream, synthetic
from idleq.simulator.trace import Trace, trace_of
from idleq.simulator.tracecache import digest_of, read_cached

HOUR_MS = 3_600_000
MOST_JOBS = 10_000_000
LARGEST_LOAD = 10


def load_trace(source: str, places: Places, processors: int | None = None) -> Trace:
    """Return what *source* means, ready for a machine of *processors* (its own number if None).

    Raises:
        TraceUnknown: there is no such file, and no trace of this name.
        BadTrace: it cannot be used.
        ImpossibleParameters: nothing can be drawn by such a recipe.
    """
    kind, is_recipe, text = source.partition(":")
    if is_recipe and kind in RECIPES:
        return RECIPES[kind](source, _values(kind, text, processors))
    if processors is not None and processors < 1:
        raise ImpossibleParameters(f"a machine of {processors} processors runs nothing")
    path = find(source, places)
    log, digest = read_cached(path, places.read_traces)
    trace = clean(log, processors)
    return Trace(trace.processors, trace.table, trace.dropped, trace.shortened, name=plain_name(path), digest=digest)


def digest_of_source(source: str, places: Places, processors: int | None = None) -> str:
    """Return what changes when *source* means something else: the digest of its file, or the recipe itself.

    Raises:
        TraceUnknown, BadTrace, ImpossibleParameters: as `load_trace`, but no line of a file is looked at.
    """
    kind, is_recipe, text = source.partition(":")
    if is_recipe and kind in RECIPES:
        RECIPES[kind](source, {**_values(kind, text, processors), "jobs": 1})
        return source
    path = find(source, places)
    try:
        return digest_of(path.read_bytes())
    except OSError as error:
        raise BadTrace(f"{path} cannot be read as a trace: {error.strerror or error}") from error


def processors_drawn(source: str, processors: int | None = None) -> int | None:
    """Return the processors of a trace that is drawn; None where *source* is a file or a name."""
    kind, is_recipe, text = source.partition(":")
    return int(_values(kind, text, processors)["nodes"]) if is_recipe and kind in RECIPES else None


DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "synthetic": {"nodes": 256, "jobs": 10_000, "load": 0.8, "seed": 1, "hours": 2, "over": 3},
    "lublin": {"nodes": 128, "jobs": 10_000, "load": 0, "seed": 1, "over": 3},
}
"""The values of each recipe; a load of 0 leaves the Lublin-Feitelson model's own."""


def _values(kind: str, text: str, processors: int | None) -> dict[str, float]:
    values = dict(DEFAULTS[kind])
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if key not in values:
            raise ImpossibleParameters(f"{kind} has no {key!r}: it has {', '.join(values)}{did_you_mean(key, values)}")
        try:
            values[key] = float(value)
        except ValueError:
            raise ImpossibleParameters(f"{kind}:{key} needs a number, not {value!r}") from None
    if processors is not None:
        values["nodes"] = processors
    whole = all(values[key] == int(values[key]) for key in ("nodes", "jobs", "seed") if abs(values[key]) < MOST_JOBS)
    in_bounds = 1 <= values["nodes"] < MOST_JOBS and 1 <= values["jobs"] < MOST_JOBS and 0 <= values["seed"] < MOST_JOBS
    if not whole or not in_bounds or not 0 <= values["load"] <= LARGEST_LOAD or not 1 <= values["over"] <= MOST_JOBS:
        raise ImpossibleParameters(
            f"{kind} needs whole numbers of nodes and jobs from 1 on, a whole seed, a load up to {LARGEST_LOAD}, over of at least 1"
        )
    return values


def _draw_synthetic(source: str, values: Mapping[str, float]) -> Trace:
    """The seed paper's kind of stream: Poisson arrivals at a load, powers of two, the small ones more often."""
    nodes, load, hours = int(values["nodes"]), values["load"], values["hours"]
    if load <= 0 or not 0 < hours < MOST_JOBS:
        raise ImpossibleParameters("synthetic needs a load above 0 and a mean run time (hours) above 0")
    sizes = {2**power: 1 / (power + 1) for power in range(nodes.bit_length()) if 2**power <= max(1, nodes // 2)}
    stream = Stream(
        nodes=nodes,
        load=load,
        sizes=sizes,
        mean_run_ms=max(1000, round(hours * HOUR_MS)),
        longest_run_ms=max(1000, round(24 * hours * HOUR_MS)),
        over_estimate=values["over"],
    )
    jobs = islice(synthetic(stream, int(values["seed"])), int(values["jobs"]))
    return trace_of(nodes, scaled(jobs, 1, 1000), name="synthetic", digest=source)


def _draw_lublin(source: str, values: Mapping[str, float]) -> Trace:
    model = Lublin(
        nodes=int(values["nodes"]),
        jobs=int(values["jobs"]),
        load=values["load"] or None,
        over_estimate=values["over"],
    )
    return Trace(model.nodes, lublin(model, int(values["seed"])), name="lublin", digest=source)


RECIPES: Mapping[str, Callable[[str, Mapping[str, float]], Trace]] = {
    "synthetic": _draw_synthetic,
    "lublin": _draw_lublin,
}
