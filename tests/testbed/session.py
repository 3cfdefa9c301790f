"""The cluster of one test run, in a place of its own; whatever an earlier run has left there is removed first."""

import fcntl
import hashlib
import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from testbed.cluster import CHECKOUT, Testbed
from testbed.errors import TestbedError
from testbed.roots import TRIXIE, Root, cache


def why_skipped(environment: Mapping[str, str], *, is_root: bool) -> str | None:
    """Why a test that uses the cluster is skipped, None if it is to run.

    Where the cluster is required, nobody who is not root is spared: such a test fails.
    """
    if environment.get("IDLEQ_TESTBED") == "1" and (is_root or environment.get("IDLEQ_REQUIRE_TESTBED") == "1"):
        return None
    return "needs the test cluster: run as root with IDLEQ_TESTBED=1"


@contextmanager
def running(*, compute: int = 3, root: Root = TRIXIE) -> Iterator[Testbed]:
    """Give a cluster that is up; it is taken down afterwards, whatever happens."""
    if os.geteuid() != 0:
        raise TestbedError("the test cluster needs root: it makes namespaces and mounts")
    with _place(root) as folder:
        cluster = Testbed(folder, compute=compute, root=root)
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.down()


@contextmanager
def _place(root: Root) -> Iterator[Path]:
    """Give the first place of this checkout that no other run has now."""
    own = f"tests-{root.suite}-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]}"
    cache().mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = cache() / f"{own}-{number}"
        with folder.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder
            return
