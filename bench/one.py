"""Run one benchmark in a process of its own, so that its imports, memory and failures are its own: `python -m bench.one NAME FILE`."""

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.apart import leave_on_signals


def main(name: str, results: Path) -> None:
    """Write the rows of benchmark *name* into *results*."""
    leave_on_signals()
    rows = importlib.import_module(f"bench.{name}").rows()
    results.write_text(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
