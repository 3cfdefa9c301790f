"""Freezing and thawing podman's containers, with export, on a node of the test cluster, beside plain writes of the same bytes."""

from bench.frozen import Kind, rows_of
from bench.row import Row

PODMAN = Kind(
    name="podman",
    what="podman",
    freeze_target=2.5,
    stopped_target=2.0,
    rounds={250_000_000: 7, 1_000_000_000: 7, 4_000_000_000: 3},
)


def rows() -> list[Row]:
    """Three rows for each size, or why there are none."""
    return rows_of(PODMAN)
