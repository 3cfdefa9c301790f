"""The cluster of one test run: one per checkout at a time, and whatever an earlier run has left is removed first."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from testbed.cluster import CHECKOUT, Testbed
from testbed.roots import TRIXIE, Root, cache


@contextmanager
def running(*, compute: int = 3, root: Root = TRIXIE) -> Iterator[Testbed]:
    """Give a cluster that is up; it is taken down afterwards, whatever happens."""
    folder = cache() / f"tests-{root.suite}-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster = Testbed(folder, compute=compute, root=root)
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.down()
