"""Guests in the gaps of a real log, through the engine as it is: how fast KTH's year is simulated, and what is harvested."""

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, process_time

from bench.row import Row
from idleq.ids import Millis
from idleq.scheduler.core.resources import Resources
from idleq.simulator.costs import equal_costs
from idleq.simulator.guestload import always_enough
from idleq.simulator.jobs import MainJob, scaled
from idleq.simulator.queueing import easy, replay
from idleq.simulator.strategies import Outcome, Site, Strategy, run
from idleq.simulator.swf import clean, read_swf

COST_MS = Millis(60_000)
ONE = Resources(1, 1)
WHAT = "always enough guests; start, freeze, thaw and save of 60 s, no grace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A real log, and the site that it is run on; a node is *processors* of the log's machine."""

    name: str
    file: str
    nodes: int
    processors: int
    longest_seconds: float

    @property
    def path(self) -> Path:
        beside = Path(__file__).parents[2] / "shared"
        return Path(os.environ.get("IDLEQ_SHARED", beside)) / "data" / "traces" / self.file

    def jobs(self) -> tuple[MainJob, ...]:
        """Whole nodes for every job."""
        in_nodes = (replace(job, size=-(-job.size // self.processors)) for job in clean(read_swf(self.path)).jobs)
        return tuple(scaled(in_nodes, 1000))


KTH = Log(name="KTH", file="KTH-SP2-1996-2.swf.gz", nodes=100, processors=1, longest_seconds=60)


def rows() -> list[Row]:
    """KTH's year, processors as nodes."""
    return rows_of(KTH)


def rows_of(log: Log) -> list[Row]:
    """What simulating *log* takes; its memory is this process's, so each log has a process of its own."""
    if not log.path.exists():
        missing = f"{log.file} is not here; say where the data is with IDLEQ_SHARED"
        return [
            Row(name=f"guests on {log.name}", value=None, unit="s", target=log.longest_seconds, note=missing),
        ]
    jobs = log.jobs()
    site = Site(nodes=log.nodes, node=ONE, jobs=jobs, until=Millis(jobs[-1].submit))
    gaps = site.gaps()
    alone = _alone(jobs, log.nodes)
    began, busy = perf_counter(), process_time()
    outcome = run(site, Strategy.IDLEQ, always_enough(ONE, 3 * log.nodes), equal_costs(COST_MS), gaps)
    return _rows(log, outcome, perf_counter() - began, process_time() - busy, alone)


def _alone(jobs: Sequence[MainJob], nodes: int) -> float:
    """Return the processor time of the main queue without guests."""
    busy = process_time()
    replay(jobs, nodes, easy)
    return process_time() - busy


def _rows(log: Log, outcome: Outcome, wall: float, busy: float, alone: float) -> list[Row]:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ended = f"{outcome.segments} ended: {outcome.frozen} frozen, {outcome.lost} lost, {outcome.done} done"
    days = f"{log.name}, {log.nodes} nodes"
    return [
        Row(name=f"completed segments a second of processor time ({days})", value=outcome.segments / busy, unit="1/s",
            target=5000, better="more", note=f"{WHAT}; {ended}"),
        Row(name=f"the whole log with guests ({days})", value=wall, unit="s", target=log.longest_seconds,
            note=f"{busy:.1f} s of processor time"),
        Row(name=f"the same over its main queue alone ({days})", value=busy / alone, unit="x",
            note=f"processor time; the main queue alone takes {alone:.2f} s"),
        Row(name=f"memory for that ({days})", value=peak_mb, unit="MB", target=1000, note="the process's peak"),
        Row(name=f"harvest of that ({days})", value=outcome.harvest, unit="of what could be", better="more",
            target=0.90 if log is KTH else None),
    ]  # fmt: skip
