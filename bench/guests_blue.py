"""The same as bench/guests.py for the 976 days of SDSC-BLUE, by nodes of eight processors, in a process of its own."""

from bench.guests import Log, rows_of
from bench.row import Row

BLUE = Log(name="SDSC-BLUE", file="SDSC-BLUE-2000-4.2-cln.swf.gz", nodes=144, processors=8, longest_seconds=300)


def rows() -> list[Row]:
    """All of it."""
    return rows_of(BLUE)
