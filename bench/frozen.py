"""What freezing and thawing by one engine takes, measured on a node of the test cluster: rows for `criu` and its like."""

import json
import os
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.row import Row

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # the test cluster is a part of the tests

from testbed.cluster import Testbed
from testbed.errors import TestbedError
from testbed.images import NAME
from testbed.session import running

PROMISED = 1_000_000_000
"""The targets are for this size."""

LIMIT_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to run, freeze and thaw.

    Attributes:
        name: what runs it: process, podman or docker.
        what: what the rows call it.
        rounds: of each number of bytes that the program holds, how often.
        freeze_target: times the plain write that a freeze of the promised size, with its snapshot, should take; None where nothing is promised.
        stopped_target: the same of the time in which it stands still, beside writing to memory.
        images: where on the node it is frozen into: where links to what the engine has written can be made, as in an agent's scratch
            beside the engine's folder.
    """

    name: str
    what: str
    rounds: Mapping[int, int]
    freeze_target: float | None = None
    stopped_target: float | None = None
    images: str = "/shared/bench-images"


def rows_of(kind: Kind) -> list[Row]:
    """Return three rows for each size, or why there are none."""
    if os.geteuid() != 0 or not os.environ.get("IDLEQ_TESTBED"):
        return _without_values(kind, "needs the test cluster: run as root with IDLEQ_TESTBED=1")
    try:
        with running(compute=1) as cluster:
            _prepare(cluster, kind)
            return [row for size in kind.rounds for row in _rows(kind, size, _measured(cluster, kind, size))]
    except TestbedError as error:
        return _without_values(kind, str(error))


def _prepare(cluster: Testbed, kind: Kind) -> None:
    if kind.name != "process":
        cluster.bring_image()
    if kind.name == "docker":
        cluster.nodes["n1"].run_script("docker.sh")


def _measured(cluster: Testbed, kind: Kind, size: int) -> dict[str, list[float]]:
    """Return what each round took on a node."""
    engine = kind.name if kind.name == "process" else f"{kind.name}:{NAME}"
    command = (
        "cd /shared/idleq && PYTHONPATH=. /shared/venv/bin/python -m bench.criu_run"
        f" {engine} /shared/bench {kind.images} {kind.rounds[size]} {size}"
    )
    said = cluster.nodes["n1"].run("sh", "-c", command, seconds=LIMIT_SECONDS)
    found: dict[str, list[float]] = json.loads(said.splitlines()[-1])
    return found


def _rows(kind: Kind, size: int, found: Mapping[str, list[float]]) -> list[Row]:
    freeze, stopped = (
        sorted(one / plain for one, plain in zip(found[what], found[beside], strict=True))
        for what, beside in (("freeze", "write"), ("stopped", "memory"))
    )
    rounds = f"middle of {len(freeze)} rounds in turns" if len(freeze) > 1 else "one round only, as it takes long"
    seconds = {what: statistics.median(found[what]) for what in ("write", "memory", "freeze", "stopped", "thaw")}
    is_promised = size == PROMISED
    return [
        Row(
            name=_freezes(kind, size),
            value=round(statistics.median(freeze), 3),
            unit="times",
            target=kind.freeze_target if is_promised else None,
            note=f"{rounds}, {freeze[0]:.2f} to {freeze[-1]:.2f}; {seconds['freeze']:.2f} s beside {seconds['write']:.2f} s",
        ),
        Row(
            name=_stops(kind, size),
            value=round(statistics.median(stopped), 3),
            unit="times",
            target=kind.stopped_target if is_promised else None,
            note=f"{rounds}, {stopped[0]:.2f} to {stopped[-1]:.2f}; {seconds['stopped']:.2f} s beside {seconds['memory']:.2f} s",
        ),
        Row(
            name=f"{kind.what} thaws {_held(kind, size)}, until it goes on",
            value=round(seconds["thaw"], 2),
            unit="s",
            note=rounds,
        ),
    ]


def _held(kind: Kind, size: int) -> str:
    return f"a {'process' if kind.name == 'process' else 'container'} of {size / 1e9:g} GB"


def _freezes(kind: Kind, size: int) -> str:
    return (
        f"{kind.what} freezes {_held(kind, size)} into a snapshot, beside a plain write of its bytes, both to the disk"
    )


def _stops(kind: Kind, size: int) -> str:
    return f"{kind.what} holds {_held(kind, size)} up, beside writing its bytes to memory"


def _without_values(kind: Kind, reason: str) -> list[Row]:
    named = ((_freezes, kind.freeze_target), (_stops, kind.stopped_target))
    return [
        Row(name=name(kind, PROMISED), value=None, unit="times", target=target, note=reason) for name, target in named
    ]
