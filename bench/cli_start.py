"""How long a person waits for the command line to say anything."""

from bench.row import Row
from bench.timing import RUNS, median_seconds


def rows() -> list[Row]:
    """The help page, which asks nobody."""
    return [Row(name=f"idleq --help, median of {RUNS}", value=median_seconds("--help"), unit="s", target=0.3)]
