"""Main jobs that nobody submitted: endless streams, the same for the same seed."""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from idleq.simulator.jobs import MainJob

SECOND = 1000
MINUTE = 60 * SECOND

HONEST = 0.5
"""The share of the busy cluster's rounds in which limits are right."""

SURPRISE = 0.3
"""The share of the busy cluster's rounds in which a job comes in that no plan had shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How a stream of main jobs is drawn; times in milliseconds.

    Attributes:
        nodes: how many nodes the site has; no job is larger.
        load: demanded node time over the site's.
        sizes: how often each size comes, relative to the others; sizes over *nodes* count as *nodes*.
        mean_run_ms: the mean run time.
        spread: the sigma of the logarithm of run times; 0 gives equal ones.
        longest_run_ms: no run is longer.
        over_estimate: users ask for 1 to so many times what they need.
        round_limit_ms: limits are whole multiples of this.
    """

    nodes: int
    load: float
    sizes: Mapping[int, float]
    mean_run_ms: int
    spread: float = 1.0
    longest_run_ms: int = 24 * 60 * MINUTE
    over_estimate: float = 3.0
    round_limit_ms: int = MINUTE


def synthetic(stream: Stream, seed: int) -> Iterator[MainJob]:
    """Yield main jobs without end: Poisson arrivals, lognormal run times, over-estimated limits."""
    draw = random.Random(seed)
    sizes = [min(size, stream.nodes) for size in stream.sizes]
    weights = list(stream.sizes.values())
    mean_size = sum(size * weight for size, weight in zip(sizes, weights, strict=True)) / sum(weights)
    interval = mean_size * stream.mean_run_ms / (stream.load * stream.nodes)
    # The mean of a lognormal is exp(mu + sigma^2 / 2).
    mu = math.log(stream.mean_run_ms) - stream.spread**2 / 2
    submit = 0.0
    number = 0
    while True:
        number += 1
        submit += draw.expovariate(1 / interval)
        run = min(max(1, round(draw.lognormvariate(mu, stream.spread))), stream.longest_run_ms)
        limit = _round_up(run * draw.uniform(1, stream.over_estimate), stream.round_limit_ms)
        size = draw.choices(sizes, weights)[0]
        yield MainJob(id=number, submit=round(submit), run=run, limit=limit, size=size)


def busy_cluster(nodes: int, seed: int) -> Iterator[MainJob]:
    """Yield main jobs without end that leave gaps of 10 to 40 seconds, each round on other nodes than the round before.

    In a round each node gets a job of its own: a short one where a gap shall open, a long one elsewhere. Then a job as
    wide as the site waits for the longest and closes every gap. In half of the rounds users know how long their jobs run,
    so that the plan is right; now and then a small job comes in between and takes a gap that no plan had closed. The
    moment between two rounds takes up what guests hold main jobs up.
    """
    draw = random.Random(seed)
    gaps: set[int] = set()
    number = 0
    begin = SECOND
    while True:
        gaps = _gap_nodes(nodes, gaps, draw)
        jobs, length = _round(nodes, gaps, draw)
        for delay, size, run, limit in jobs:
            number += 1
            yield MainJob(id=number, submit=begin + delay, run=run, limit=limit, size=size)
        begin += length + draw.randrange(SECOND // 2, 3 * SECOND // 2)


def _gap_nodes(nodes: int, before: set[int], draw: random.Random) -> set[int]:
    """Choose about half of the nodes, none that was chosen before as long as there are others."""
    others = [node for node in range(nodes) if node not in before] or list(range(nodes))
    return set(draw.sample(others, min(len(others), max(1, nodes // 2))))


def _round(nodes: int, gaps: set[int], draw: random.Random) -> tuple[list[tuple[int, int, int, int]], int]:
    """Return the jobs of a round (delay, size, run, limit) by delay, and how long it lasts."""
    over = 1.0 if draw.random() < HONEST else draw.uniform(1.05, 1.25)
    jobs: list[tuple[int, int, int, int]] = []
    longest = 0
    for node in range(nodes):
        # The queue gives the first free node to the first job, so that the order names the nodes.
        run = (draw.randrange(2, 5) if node in gaps else draw.randrange(24, 38)) * SECOND
        longest = max(longest, run)
        jobs.append((node, 1, run, _round_up(run * over, SECOND)))
    wide = draw.randrange(4, 7) * SECOND
    # With a single node nothing is long: its gap lasts until the wide job comes.
    wide_at = (draw.randrange(5, 9) if nodes > 1 else draw.randrange(20, 40)) * SECOND
    jobs.append((wide_at, nodes, wide, wide))
    if nodes > 1 and draw.random() < SURPRISE:
        run = draw.randrange(4, 8) * SECOND
        jobs.append((wide_at + draw.randrange(1 * SECOND, 8 * SECOND), 1, run, run))
    return jobs, max(longest, wide_at) + wide


def _round_up(value: float, unit: int) -> int:
    return math.ceil(value / unit) * unit
