"""`train-cgan` that also counts its steps: `python -m bench.counted_training FILE OPTION...`; FILE always holds the number.

It reports every tenth step only. The same is added to a run with idleq and to one without.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from idleq.workloads import cli
from idleq.workloads.guest import Guest

STEP_BYTES = 8


def main(file: Path, options: list[str]) -> int:
    """Train; before each step, *file* gets its number."""
    may_go_on = Guest.may_go_on
    counter = os.open(file, os.O_WRONLY | os.O_CREAT)

    def counted(guest: Guest, step: int, parts: Callable[[], Mapping[str, bytes]]) -> bool:
        os.pwrite(counter, step.to_bytes(STEP_BYTES, "little"), 0)
        return may_go_on(guest, step, parts)

    Guest.may_go_on = counted  # type: ignore[assignment, method-assign]  # the job's own code stays as it is
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the same core each time, whoever starts it
    return cli.main(["train-cgan", *options])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
