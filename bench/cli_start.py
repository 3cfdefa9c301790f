"""How long a person waits for the command line to say anything."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.row import Row

RUNS = 15
IDLEQ = Path(sys.executable).with_name("idleq")


def seconds(*arguments: str, codes: tuple[int, ...] = (0,)) -> float:
    """Median time of one command; the first run only fills the caches."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        run = subprocess.run(
            [IDLEQ, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
        times.append(time.perf_counter() - start)
        if run.returncode not in codes:
            raise SystemExit(f"idleq {' '.join(arguments)} ended with {run.returncode}: {run.stderr.strip()}")
    return statistics.median(times[1:])


def rows() -> list[Row]:
    """The help page; what a client command does beyond it is one request."""
    return [Row(name=f"idleq --help, median of {RUNS}", value=seconds("--help"), unit="s", target=0.3)]
