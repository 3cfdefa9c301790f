"""`train-cgan` that also notes when it reports: `python -m bench.timed_training FILE OPTION...`; FILE gets JSON.

Its progress holds no times, so that a moved job's output is that of one that stayed. This adds a look at two clocks
every tenth step, in a run with idleq and in one without alike.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from idleq.workloads import cli
from idleq.workloads.guest import Guest


def main(file: Path, options: list[str]) -> int:
    """Train; what the clocks showed is in *file* when the training is done."""
    seen: list[tuple[int, float, float]] = []
    report = Guest.report

    def timed(guest: Guest, step: int, total: int, metrics: Mapping[str, float]) -> None:
        seen.append((step, time.perf_counter(), time.process_time()))
        report(guest, step, total, metrics)

    Guest.report = timed  # type: ignore[assignment, method-assign]  # the job's own code stays as it is
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the same core each time, whoever starts it
    code = cli.main(["train-cgan", *options])
    file.write_text(json.dumps(seen))
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
