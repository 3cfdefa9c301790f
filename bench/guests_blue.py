"""The same as bench/guests.py for SDSC-BLUE, by nodes of eight processors, in a process of its own.

Of the log's 976 days only the first 50: all of them take longer than one benchmark may.
"""

from bench.guests import Log, rows_of
from bench.row import Row

BLUE = Log(
    name="SDSC-BLUE",
    file="SDSC-BLUE-2000-4.2-cln.swf.gz",
    nodes=144,
    processors=8,
    longest_seconds=300,
    first_days=50,
)


def rows() -> list[Row]:
    """Its first days, and what all of them would take."""
    return rows_of(BLUE)
