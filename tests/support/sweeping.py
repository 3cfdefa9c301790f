"""Work for sweeps that other processes can import: it counts its calls in a folder, and can be made slow, to fail or to die."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.rows import RowsFile
from idleq.simulator.sweep import run_points

POINTS = [{"number": number} for number in range(12)]
KEYS = [f"point {number}" for number in range(12)]


def square(point: Mapping[str, Any], calls: Path) -> dict[str, Any]:
    """Return the square; how often each number was asked for stands in *calls*."""
    number = int(point["number"])
    with (calls / str(number)).open("a") as file:
        file.write("x")
    if (calls / "slow").exists():
        time.sleep(0.1)
    if (calls / "fails").exists() and number == 5:
        raise ImpossibleParameters("five cannot be")
    if (calls / "dies").exists() and number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"square": number * number, "root": number**0.5, "none": None}


def asked(calls: Path) -> dict[int, int]:
    """Return how often each number was asked for."""
    return {int(path.name): len(path.read_text()) for path in calls.iterdir() if path.name.isdecimal()}


def main() -> None:
    """Run a sweep as a process of its own."""
    file, calls = map(Path, sys.argv[1:])
    with RowsFile(file, "test") as kept:
        run_points(POINTS, KEYS, partial(square, calls=calls), kept, 2)


if __name__ == "__main__":
    main()
