"""The same as bench/guests.py for SDSC-BLUE, by nodes of eight processors, in a process of its own."""

from bench.guests import UNWARNED, WARNED, Log, rows_of
from bench.row import Row

BLUE = Log(
    name="SDSC-BLUE",
    file="SDSC-BLUE-2000-4.2-cln.swf.gz",
    nodes=144,
    processors=8,
    longest_seconds=300,
)


def rows() -> list[Row]:
    """All of its 32 months, and its first days with guests that are the most work."""
    return [*rows_of(BLUE, WARNED), *rows_of(BLUE, UNWARNED, first_days=50)]
