"""Wall-clock times of `idleq` commands."""

import statistics
import subprocess
import time
from collections.abc import Mapping

from bench.server import IDLEQ

RUNS = 15


def median_seconds(*arguments: str, environment: Mapping[str, str] | None = None) -> float:
    """Median time of one command over RUNS runs, after one that only fills the caches."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        argv = [str(IDLEQ), *arguments]
        run = subprocess.run(
            argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
        times.append(time.perf_counter() - start)
        if run.returncode:
            raise SystemExit(f"idleq {' '.join(arguments)} ended with {run.returncode}: {run.stderr.strip()}")
    return statistics.median(times[1:])
