"""Freezing and thawing plain processes by criu on a node of the test cluster, beside plain writes of the same bytes to the same disk."""

import json
import os
import statistics
import sys
from pathlib import Path

from bench.row import Row

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # the test cluster is a part of the tests

from testbed.cluster import Testbed
from testbed.errors import TestbedError
from testbed.session import running

SIZES = {250_000_000: 7, 1_000_000_000: 7, 4_000_000_000: 3}
"""Bytes that the process holds, and how many rounds."""

FREEZE_TARGET, STOPPED_TARGET = 1.5, 2.0
PROMISED = 1_000_000_000
"""The targets are for this size."""

LIMIT_SECONDS = 600


def rows() -> list[Row]:
    """Three rows for each size, or why there are none."""
    if os.geteuid() != 0 or not os.environ.get("IDLEQ_TESTBED"):
        return _without_values("needs the test cluster: run as root with IDLEQ_TESTBED=1")
    try:
        with running(compute=1) as cluster:
            return [row for size, rounds in SIZES.items() for row in _rows(measured(cluster, size, rounds))]
    except TestbedError as error:
        return _without_values(str(error))


def measured(cluster: Testbed, size: int, rounds: int) -> dict[str, list[float]]:
    """Return what each round took on a node, and the size."""
    command = (
        f"cd /shared/idleq && PYTHONPATH=. /shared/venv/bin/python -m bench.criu_run /shared/bench {rounds} {size}"
    )
    said = cluster.nodes["n1"].run("sh", "-c", command, seconds=LIMIT_SECONDS)
    found: dict[str, list[float]] = json.loads(said.splitlines()[-1])[0]
    return {**found, "size": [size]}


def _rows(found: dict[str, list[float]]) -> list[Row]:
    size = found["size"][0]
    held = f"a process of {size / 1e9:g} GB"
    freeze, stopped = (
        sorted(one / plain for one, plain in zip(found[what], found[beside], strict=True))
        for what, beside in (("freeze", "write"), ("stopped", "memory"))
    )
    rounds = f"middle of {len(freeze)} rounds in turns"
    seconds = {what: statistics.median(found[what]) for what in ("write", "memory", "freeze", "stopped", "thaw")}
    has_target = size == PROMISED
    return [
        Row(
            name=f"criu freezes {held}, beside a plain write of its bytes, both to the disk",
            value=round(statistics.median(freeze), 3),
            unit="times",
            target=FREEZE_TARGET if has_target else None,
            note=f"{rounds}, {freeze[0]:.2f} to {freeze[-1]:.2f}; {seconds['freeze']:.2f} s beside {seconds['write']:.2f} s",
        ),
        Row(
            name=f"criu holds {held} up, beside writing its bytes to memory",
            value=round(statistics.median(stopped), 3),
            unit="times",
            target=STOPPED_TARGET if has_target else None,
            note=f"{rounds}, {stopped[0]:.2f} to {stopped[-1]:.2f}; {seconds['stopped']:.2f} s beside {seconds['memory']:.2f} s",
        ),
        Row(name=f"criu thaws {held}, until it goes on", value=round(seconds["thaw"], 2), unit="s", note=rounds),
    ]


def _without_values(reason: str) -> list[Row]:
    return [
        Row(name=f"criu freezes a process of {PROMISED / 1e9:g} GB, beside a plain write of its bytes, both to the disk",
            value=None, unit="times", target=FREEZE_TARGET, note=reason),
        Row(name=f"criu holds a process of {PROMISED / 1e9:g} GB up, beside writing its bytes to memory",
            value=None, unit="times", target=STOPPED_TARGET, note=reason),
    ]  # fmt: skip
