"""Wall-clock times of `idleq` commands."""

import os
import statistics
import time
from collections.abc import Mapping

from bench.server import idleq

RUNS = 15


def median_seconds(*arguments: str, environment: Mapping[str, str] | None = None, runs: int = RUNS) -> float:
    """Median time of one command over *runs* runs, after one that only fills the caches."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        idleq(*arguments, environment=os.environ if environment is None else environment)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])
