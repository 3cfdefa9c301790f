"""Freezing and thawing docker's containers on a node of the test cluster, beside plain writes of the same bytes to the same disk.

Nothing is promised: what the engine does with a checkpoint is its own business, and takes half a minute for a gigabyte, so there are few
rounds. It says not for how long the processes stood still either: that is the whole time in which it makes one.
"""

from bench.frozen import Kind, rows_of
from bench.row import Row

DOCKER = Kind(
    name="docker",
    what="docker",
    rounds={250_000_000: 3, 1_000_000_000: 3, 4_000_000_000: 1},
    images="/var/lib/docker/idleq-bench",
)


def rows() -> list[Row]:
    """Three rows for each size, or why there are none."""
    return rows_of(DOCKER)
