"""Guests to simulate: always enough of them, a stream drawn by a seed, or what a job file asks for."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from idleq.ids import Millis
from idleq.scheduler.core.inputs import JobsSubmitted
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange, JobSpec, Submission

FOR_EVER = Millis(10**14)
"""3,000 years: longer than any gap."""

Arrival = tuple[Millis, JobsSubmitted]
"""When guests come in, in world time, and what is submitted then."""


def always_enough(resources: Resources, count: int) -> tuple[Arrival, ...]:
    """Return *count* guests of *resources*, there from the beginning, that are longer than any gap."""
    spec = JobSpec(name="guest", argv=("guest",), resources=resources, expected_ms=FOR_EVER)
    return from_submissions((Submission(spec=spec, array=ArrayRange(0, count - 1)),))


def from_submissions(submissions: Sequence[Submission]) -> tuple[Arrival, ...]:
    """Return *submissions*, as a job file has them, coming in together at the beginning."""
    return ((Millis(0), JobsSubmitted(submissions=tuple(submissions), request="guests", user="simulate")),)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStream:
    """How a stream of guests is drawn; times in milliseconds.

    Attributes:
        interval_ms: the mean time between two guests.
        mean_run_ms: the mean run time.
        spread: the sigma of the logarithm of run times; 0 gives equal ones.
        cores: how often each number of cores comes, relative to the others.
        memory_per_core: bytes that a guest asks for with each core.
        memory_spread: the sigma of the logarithm of that.
        gpus: how many each guest asks for.
    """

    interval_ms: int
    mean_run_ms: int
    spread: float = 1.0
    cores: Mapping[int, float]
    memory_per_core: int
    memory_spread: float = 0.0
    gpus: int = 0


def guest_stream(stream: GuestStream, until: Millis, seed: int) -> Iterator[Arrival]:
    """Yield the guests that come in before *until*: Poisson arrivals, lognormal run times, the same for the same seed."""
    draw = random.Random(f"{seed}/guests")
    at = 0.0
    number = 0
    while (at := at + draw.expovariate(1 / stream.interval_ms)) < until:
        number += 1
        cores = draw.choices(list(stream.cores), list(stream.cores.values()))[0]
        run = max(1, round(_lognormal(draw, stream.mean_run_ms, stream.spread)))
        memory = max(1, round(_lognormal(draw, stream.memory_per_core * cores, stream.memory_spread)))
        # The cost model goes by names, and guests of one size cost the same.
        wanted = Resources(cores, memory, stream.gpus)
        spec = JobSpec(name=f"guest-{cores}", argv=("guest",), resources=wanted, expected_ms=Millis(run))
        submission = Submission(spec=spec)
        yield Millis(round(at)), JobsSubmitted(submissions=(submission,), request=f"guest {number}", user="simulate")


def _lognormal(draw: random.Random, mean: float, spread: float) -> float:
    # The mean of a lognormal is exp(mu + sigma^2 / 2).
    return draw.lognormvariate(math.log(mean) - spread**2 / 2, spread)
