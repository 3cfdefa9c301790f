"""What guests do to a whole stream of main jobs on a real Slurm, and how long a guest waits in an allocation that has begun.

The same stream runs with guests and without, in turns, so that whatever else the machine does hits both.
"""

import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.row import Row
from idleq.scheduler.core.facts import SegmentRunning, SegmentStarted

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # the test cluster is a part of the tests

from support.on_slurm import (
    BOUND_SECONDS,
    Alice,
    alice_at_work,
    stream,
    submit_and_start,
    submit_stream,
    wait_for_main_jobs,
)
from testbed.cluster import Testbed
from testbed.errors import TestbedError
from testbed.session import running

RUNS = 3
"""With guests, and as many without: what Slurm itself does differently from run to run is seen in those without."""
SEED, SECONDS = 3, 120
GUESTS, STEPS = 6, 6000
"""More than are done while the stream runs: every gap has guests."""

SHIFT = "a stream of main jobs on Slurm: how much later they begin with guests than without, on average"
WORST = "the same: the main job that guests made latest"
END = "the same: how much later the last main job begins"
START = "Slurm's start of an allocation to its first guest running, median"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """When each main job of the stream began, in seconds after it could have; how long guests waited in allocations that had begun."""

    waits: Sequence[int]
    overheads: Sequence[float] = ()


def rows() -> list[Row]:
    """Three rows of shifts and one of overhead, or why there are none."""
    if os.geteuid() != 0 or not os.environ.get("IDLEQ_TESTBED"):
        return _without_values("needs the test cluster: run as root with IDLEQ_TESTBED=1")
    try:
        with running() as slurm:
            pairs = [(_without(slurm), _with(slurm)) for _ in range(RUNS)]
    except TestbedError as error:
        return _without_values(str(error))
    return _rows([without for without, _ in pairs], [guests for _, guests in pairs])


def _without(slurm: Testbed) -> Run:
    run = Run(waits=_run(slurm))
    slurm.wait_until_idle()
    return run


def _with(slurm: Testbed) -> Run:
    with alice_at_work(slurm) as alice:
        alice.counts(seeds=GUESTS, steps=STEPS)
        alice.wait_until_running(GUESTS)
        waits = _run(slurm)
        return Run(waits=waits, overheads=_overheads(alice))


def _run(slurm: Testbed) -> list[int]:
    """Let the stream pass; return how long each of its jobs waited, in Slurm's own seconds."""
    jobs = submit_stream(slurm, stream(SEED, SECONDS))
    wait_for_main_jobs(slurm, seconds=SECONDS + 180)
    times = [submit_and_start(slurm, job, since="Eligible") for job in jobs]
    return [began - eligible for eligible, began in times]


def _overheads(alice: Alice) -> list[float]:
    """How long the first guest of each allocation was not yet running after Slurm had started it, in seconds."""
    first: dict[str, tuple[str, int]] = {}
    for started in alice.facts_of(SegmentStarted):
        first.setdefault(started.allocation, (started.job, started.fence))
    running_since = {(fact.job, fact.fence): fact.since for fact in alice.facts_of(SegmentRunning)}
    starts = alice.started_at()
    return [
        running_since[guest] / 1000 - starts[allocation]
        for allocation, guest in first.items()
        if guest in running_since and allocation in starts
    ]


def _rows(without: Sequence[Run], with_guests: Sequence[Run]) -> list[Row]:
    before = [statistics.mean(waits) for waits in zip(*(run.waits for run in without), strict=True)]
    after = [statistics.mean(waits) for waits in zip(*(run.waits for run in with_guests), strict=True)]
    shifts = [late - early for early, late in zip(before, after, strict=True)]
    means = [statistics.mean(run.waits) for run in without]
    note = (
        f"{len(shifts)} jobs, {RUNS} runs each way; without guests they wait {statistics.mean(means):.1f} s on average"
        f" ({min(means):.1f} to {max(means):.1f}), with guests {statistics.mean(after):.1f} s"
    )
    overheads = [seconds for run in with_guests for seconds in run.overheads]
    spread = f"{len(overheads)} allocations, {min(overheads):.1f} to {max(overheads):.1f} s; Slurm gives whole seconds"
    return [
        Row(name=SHIFT, value=statistics.mean(shifts), unit="s", target=BOUND_SECONDS, note=note),
        Row(
            name=WORST, value=max(shifts), unit="s", target=BOUND_SECONDS, note="mean of the runs, each job for itself"
        ),
        Row(
            name=END,
            value=shifts[-1],
            unit="s",
            target=BOUND_SECONDS,
            note=f"all shifts together are {sum(shifts):.1f} s: so late it would be if they added up",
        ),
        Row(name=START, value=statistics.median(overheads), unit="s", note=spread),
    ]


def _without_values(reason: str) -> list[Row]:
    units = {SHIFT: BOUND_SECONDS, WORST: BOUND_SECONDS, END: BOUND_SECONDS, START: None}
    return [Row(name=name, value=None, unit="s", target=target, note=reason) for name, target in units.items()]
