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
from idleq.scheduler.core.submission import ArrayRange, JobSpec, Submission
from idleq.simulator.costs import equal_costs
from idleq.simulator.guestload import FOR_EVER, Arrival, from_submissions
from idleq.simulator.jobs import MainJob, scaled
from idleq.simulator.queueing import easy, replay
from idleq.simulator.strategies import Outcome, Site, Strategy, run
from idleq.simulator.swf import clean, read_swf

MINUTE = 60_000
DAY = 24 * HOUR
ONE = Resources(1, 1)
REFERENCE = 117_000
"""Jobs a second of the bare SimPy loop on KTH, on the machine that the targets were written for."""

BARE_RUNS = 3
"""Before a run, and after it."""

ENOUGH = 400_000
"""So many short guests are not at their end when the days of a benchmark are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guests:
    """What guests are like, of whom there are always enough; times in milliseconds.

    Attributes:
        name: how a row calls them.
        cost_ms: what each start, freeze, thaw and save takes.
        grace_ms: what a preempted one is given.
        run_ms: how long one works in all.
    """

    name: str
    cost_ms: int
    grace_ms: int = 0
    run_ms: int = FOR_EVER

    def arrivals(self, nodes: int) -> tuple[Arrival, ...]:
        """Return them, all there from the beginning."""
        spec = JobSpec(name="guest", argv=("guest",), resources=ONE, expected_ms=Millis(self.run_ms))
        count = 3 * nodes if self.run_ms == FOR_EVER else ENOUGH
        return from_submissions((Submission(spec=spec, array=ArrayRange(0, count - 1)),))


UNWARNED = Guests(name="endless guests that are given no grace, costs of 60 s", cost_ms=MINUTE)
"""The most work: all of them save as insurance, and each time a main job comes the last of it is lost."""

WARNED = Guests(name="endless guests that are given 30 s, costs of 10 s", cost_ms=10_000, grace_ms=30_000)
"""As Slurm's sites have it."""

SHORT = Guests(name="guests of 10 min, costs of 60 s", cost_ms=MINUTE, run_ms=10 * MINUTE)
"""Most of their segments end because the work is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A real log, and the site that it is run on.

    Attributes:
        name, file: the log.
        nodes: how many the site has.
        processors: how many of the log's machine are a node.
        longest_seconds: what the whole log is to take.
    """

    name: str
    file: str
    nodes: int
    processors: int
    longest_seconds: float

    def jobs(self) -> tuple[MainJob, ...]:
        """Whole nodes for every job."""
        in_nodes = (
            replace(job, size=-(-job.size // self.processors)) for job in clean(read_swf(log_path(self.file))).jobs
        )
        return tuple(scaled(in_nodes, 1000))


KTH = Log(name="KTH", file="KTH-SP2-1996-2.swf.gz", nodes=100, processors=1, longest_seconds=60)


def rows() -> list[Row]:
    """KTH's year, processors as nodes, and its first months with short guests."""
    return [*rows_of(KTH, UNWARNED), *rows_of(KTH, SHORT, first_days=60)]


def rows_of(log: Log, guests: Guests, *, first_days: int | None = None) -> list[Row]:
    """What simulating *log*, or only its *first days*, takes; its memory is this process's, so each log has a process of its own."""
    if not log_path(log.file).exists():
        missing = f"{log.file} is not here; say where the data is with IDLEQ_SHARED"
        return [
            Row(name=f"guests on {log.name}", value=None, unit="s", target=log.longest_seconds, note=missing),
        ]
    collect_rarely()  # as `idleq simulate` does
    whole = log.jobs()
    end = whole[-1].submit if first_days is None else whole[0].submit + first_days * DAY
    jobs = tuple(job for job in whole if job.submit <= end)
    site = Site(nodes=log.nodes, node=ONE, jobs=jobs, until=Millis(end), grace_ms=Millis(guests.grace_ms))
    gaps = site.gaps()
    alone = _alone(jobs, log.nodes)
    bare = [_bare() for _ in range(BARE_RUNS)]
    began, busy = perf_counter(), process_time()
    outcome = run(site, Strategy.IDLEQ, guests.arrivals(log.nodes), equal_costs(Millis(guests.cost_ms)), gaps)
    wall, busy = perf_counter() - began, process_time() - busy
    bare += [_bare() for _ in range(BARE_RUNS)]
    share = (end - whole[0].submit) / _length(whole)
    took = Took(wall=wall, busy=busy, alone=alone, bare=statistics.median(bare), share=share)
    where = f"{log.name}, {log.nodes} nodes" + ("" if first_days is None else f", the first {first_days} days")
    return _rows(log, f"{where}; {guests.name}", outcome, took)


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


def _rows(log: Log, what: str, outcome: Outcome, took: Took) -> list[Row]:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ended = f"{outcome.segments} ended: {outcome.frozen} frozen, {outcome.lost} lost, {outcome.done} done"
    is_whole = took.share == 1
    rate = outcome.segments / took.busy
    seconds = f"{took.wall:.1f} s on the clock on the wall; {took.scaled(took.busy):.1f} s scaled to the reference"
    if not is_whole:
        seconds += (
            f"; the whole log would take {took.busy / took.share:.0f} s, scaled {took.scaled(took.busy / took.share):.0f} s"
            f" (to be: {log.longest_seconds:g} s)"
        )
    return [
        Row(name=f"completed segments a second of processor time ({what})", value=rate, unit="1/s", target=5000,
            better="more", note=f"{ended}; scaled {rate / took.scaled(1):.0f} 1/s; {took.beside}"),
        Row(name=f"processor time of that ({what})", value=took.busy, unit="s",
            target=log.longest_seconds if is_whole else None, note=f"{seconds}; {took.beside}"),
        Row(name=f"the same over its main queue alone ({what})", value=took.busy / took.alone, unit="x",
            note=f"processor time; the main queue alone takes {took.alone:.2f} s; {took.beside}"),
        Row(name=f"memory for that ({what})", value=peak_mb, unit="MB", target=1000, note=f"the process's peak; {took.beside}"),
        Row(name=f"harvest of that ({what})", value=outcome.harvest, unit="of what could be", better="more",
            target=0.90 if log is KTH and is_whole else None, note="the same on every machine"),
    ]  # fmt: skip
