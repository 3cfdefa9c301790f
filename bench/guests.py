"""Guests in the gaps of a real log, through the engine as it is: how fast KTH's year is simulated, and what is harvested."""

import resource
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter, process_time

from bench.bare_simpy import Job, bare_easy
from bench.logs import log_path
from bench.row import Row
from idleq.bootstrap import collect_rarely
from idleq.ids import Millis
from idleq.scheduler.core.policy import HOUR
from idleq.scheduler.core.resources import Resources
from idleq.simulator.costs import equal_costs
from idleq.simulator.guestload import always_enough
from idleq.simulator.jobs import MainJob, scaled
from idleq.simulator.queueing import easy, replay
from idleq.simulator.strategies import Outcome, Site, Strategy, run
from idleq.simulator.swf import clean, read_swf

COST_MS = Millis(60_000)
DAY = 24 * HOUR
ONE = Resources(1, 1)
REFERENCE = 117_000
"""Jobs a second of the bare SimPy loop on KTH, on the machine that the targets were written for."""

BARE_RUNS = 3
"""Before a run, and after it."""

WHAT = "always enough guests; start, freeze, thaw and save of 60 s, no grace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A real log, and the site that it is run on.

    Attributes:
        name, file: the log.
        nodes: how many the site has.
        processors: how many of the log's machine are a node.
        longest_seconds: what the whole log is to take.
        first_days: only so much of it is run; None for all of it.
    """

    name: str
    file: str
    nodes: int
    processors: int
    longest_seconds: float
    first_days: int | None = None

    def jobs(self) -> tuple[MainJob, ...]:
        """Whole nodes for every job."""
        in_nodes = (
            replace(job, size=-(-job.size // self.processors)) for job in clean(read_swf(log_path(self.file))).jobs
        )
        return tuple(scaled(in_nodes, 1000))


KTH = Log(name="KTH", file="KTH-SP2-1996-2.swf.gz", nodes=100, processors=1, longest_seconds=60)


def rows() -> list[Row]:
    """KTH's year, processors as nodes."""
    return rows_of(KTH)


def rows_of(log: Log) -> list[Row]:
    """What simulating *log* takes; its memory is this process's, so each log has a process of its own."""
    if not log_path(log.file).exists():
        missing = f"{log.file} is not here; say where the data is with IDLEQ_SHARED"
        return [
            Row(name=f"guests on {log.name}", value=None, unit="s", target=log.longest_seconds, note=missing),
        ]
    collect_rarely()  # as `idleq simulate` does
    whole = log.jobs()
    end = whole[-1].submit if log.first_days is None else whole[0].submit + log.first_days * DAY
    jobs = tuple(job for job in whole if job.submit <= end)
    site = Site(nodes=log.nodes, node=ONE, jobs=jobs, until=Millis(end))
    gaps = site.gaps()
    alone = _alone(jobs, log.nodes)
    bare = [_bare() for _ in range(BARE_RUNS)]
    began, busy = perf_counter(), process_time()
    outcome = run(site, Strategy.IDLEQ, always_enough(ONE, 3 * log.nodes), equal_costs(COST_MS), gaps)
    wall, busy = perf_counter() - began, process_time() - busy
    bare += [_bare() for _ in range(BARE_RUNS)]
    took = Took(
        wall=wall, busy=busy, alone=alone, bare=statistics.median(bare), share=(end - whole[0].submit) / _length(whole)
    )
    return _rows(log, outcome, took)


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """Seconds that a run took, on the clock on the wall and of processor time, and what they are measured against.

    Attributes:
        wall, busy: the run.
        alone: processor time of its main queue without guests.
        bare: jobs a second of the bare loop on KTH, before and after the run: what the machine gave meanwhile.
        share: how much of the log was run, by its time.
    """

    wall: float
    busy: float
    alone: float
    bare: float
    share: float

    @property
    def beside(self) -> str:
        """The machine beside the reference."""
        return f"the bare SimPy loop ran KTH at {self.bare / 1000:.0f} thousand jobs/s meanwhile, {REFERENCE // 1000} on the reference"

    def scaled(self, seconds: float) -> float:
        """Return what *seconds* would be there."""
        return seconds * self.bare / REFERENCE


def _length(jobs: Sequence[MainJob]) -> int:
    return jobs[-1].submit - jobs[0].submit


def _bare() -> float:
    jobs = [Job(job.id, job.submit, job.run, job.limit, job.size) for job in KTH.jobs()]
    busy = process_time()
    bare_easy(jobs, KTH.nodes)
    return len(jobs) / (process_time() - busy)


def _alone(jobs: Sequence[MainJob], nodes: int) -> float:
    """Return the processor time of the main queue without guests."""
    busy = process_time()
    replay(jobs, nodes, easy)
    return process_time() - busy


def _rows(log: Log, outcome: Outcome, took: Took) -> list[Row]:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ended = f"{outcome.segments} ended: {outcome.frozen} frozen, {outcome.lost} lost, {outcome.done} done"
    is_whole = log.first_days is None
    part = "the whole log" if is_whole else f"the first {log.first_days} days"
    where = f"{log.name}, {log.nodes} nodes" if is_whole else f"{log.name}, {log.nodes} nodes, {part}"
    rate = outcome.segments / took.busy
    seconds = f"{took.wall:.1f} s on the clock on the wall; {took.scaled(took.busy):.1f} s scaled to the reference"
    if not is_whole:
        seconds += (
            f"; the whole log would take {took.busy / took.share:.0f} s, scaled {took.scaled(took.busy / took.share):.0f} s"
            f" (to be: {log.longest_seconds:g} s)"
        )
    return [
        Row(name=f"completed segments a second of processor time ({where})", value=rate, unit="1/s", target=5000,
            better="more", note=f"{WHAT}; {ended}; scaled {rate / took.scaled(1):.0f} 1/s; {took.beside}"),
        Row(name=f"processor time of {part} with guests ({where})", value=took.busy, unit="s",
            target=log.longest_seconds if is_whole else None, note=f"{seconds}; {took.beside}"),
        Row(name=f"the same over its main queue alone ({where})", value=took.busy / took.alone, unit="x",
            note=f"processor time; the main queue alone takes {took.alone:.2f} s; {took.beside}"),
        Row(name=f"memory for that ({where})", value=peak_mb, unit="MB", target=1000, note=f"the process's peak; {took.beside}"),
        Row(name=f"harvest of that ({where})", value=outcome.harvest, unit="of what could be", better="more",
            target=0.90 if log is KTH else None, note="the same on every machine"),
    ]  # fmt: skip
