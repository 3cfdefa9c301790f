"""How long a person waits for an answer of the daemon."""

from bench.row import Row
from bench.server import serving
from bench.timing import RUNS, median_seconds


def rows() -> list[Row]:
    """The list of an empty queue: start-up, one request, one table."""
    with serving() as environment:
        value = median_seconds("ps", environment=environment)
    return [Row(name=f"idleq ps with a daemon, median of {RUNS}", value=value, unit="s", target=0.3)]
