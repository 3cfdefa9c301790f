"""Guests as people write them: "enough", "stream:interval=300,run=3600", or the name of a job file."""

from collections.abc import Callable, Mapping

from idleq.scheduler.core.submission import Submission
from idleq.scheduler.units import format_size
from idleq.simulator.guestload import GuestStream
from idleq.simulator.scenario import MEMORY_PER_CORE, Enough, Guests, JobFile
from idleq.simulator.written import assigned, joined, number, read_each, seconds, some_size, some_time, text, whole

ENOUGH, STREAM = "enough", "stream"
MOST_CORES = 10**5
MOST_GPUS = 1000

JobReader = Callable[[str], tuple[Submission, ...]]
"""Reads the job file of a name."""


def _cores(value: object) -> dict[int, float]:
    """Read "4", or how often each number comes: "1:3/4:1"."""
    found: dict[int, float] = {}
    for part in str(value).split("/"):
        cores, _, weight = part.partition(":")
        found[whole(1, MOST_CORES)(cores)] = number(0)(weight or 1)
    if not sum(found.values()):
        raise ValueError("one of the weights is above 0")
    return found


ENOUGH_KEYS = {"cores": whole(1, MOST_CORES), "memory": some_size, "gpus": whole(0, MOST_GPUS)}
STREAM_KEYS = {
    "interval": some_time,
    "run": some_time,
    "spread": number(0, 5),
    "cores": _cores,
    "memory": some_size,
    "memory_spread": number(0, 5),
    "gpus": whole(0, MOST_GPUS),
}
INTERVAL_MS, RUN_MS = 300_000, 3_600_000
"""Of a stream that does not say them."""


def read_guests(given: object, read_jobs: JobReader) -> Guests:
    """Return the guests that *given* names; *read_jobs* reads a job file.

    Raises:
        ValueError: there are no such guests.
    """
    kind, _, rest = text(given).partition(":")
    if kind == ENOUGH:
        values = read_each(assigned(rest) if rest else {}, ENOUGH_KEYS)
        return Enough(
            cores=values.get("cores", 1),
            memory_per_core=values.get("memory", MEMORY_PER_CORE),
            gpus=values.get("gpus", 0),
        )
    if kind == STREAM:
        values = read_each(assigned(rest) if rest else {}, STREAM_KEYS)
        return GuestStream(
            interval_ms=values.get("interval", INTERVAL_MS),
            mean_run_ms=values.get("run", RUN_MS),
            spread=values.get("spread", 1.0),
            cores=values.get("cores", {1: 1.0}),
            memory_per_core=values.get("memory", MEMORY_PER_CORE),
            memory_spread=values.get("memory_spread", 0.0),
            gpus=values.get("gpus", 0),
        )
    path = text(given)
    return JobFile(path=path, submissions=read_jobs(path))


def guests_shown(guests: Guests) -> str:
    """Return *guests* as they are read."""
    match guests:
        case Enough():
            memory = format_size(guests.memory_per_core)
            return f"{ENOUGH}:" + joined((("cores", guests.cores), ("memory", memory), *_gpus_shown(guests.gpus)))
        case GuestStream():
            parts = (
                ("interval", f"{seconds(guests.interval_ms)}"),
                ("run", f"{seconds(guests.mean_run_ms)}"),
                ("spread", guests.spread),
                ("cores", _cores_shown(guests.cores)),
                ("memory", format_size(guests.memory_per_core)),
                ("memory_spread", guests.memory_spread),
                *_gpus_shown(guests.gpus),
            )
            return f"{STREAM}:" + joined(parts)
        case JobFile():
            return guests.path


def _gpus_shown(gpus: int) -> list[tuple[str, int]]:
    return [("gpus", gpus)] if gpus else []


def _cores_shown(cores: Mapping[int, float]) -> str:
    return "/".join(f"{number_}:{weight}" for number_, weight in cores.items())
