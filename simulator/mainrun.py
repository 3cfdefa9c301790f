"""The main queue alone, from a trace to starts and metrics, by either engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np

from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.estimates import Estimates, estimated
from idleq.simulator.keeper import Keeper, carried_out
from idleq.simulator.metrics import TAU, Metrics, metrics
from idleq.simulator.outagerun import OutageRun
from idleq.simulator.outages import Outage
from idleq.simulator.queueing.around import evading
from idleq.simulator.queueing.catalog import Reservation, policy_named
from idleq.simulator.queueing.main_queue import QueueRun
from idleq.simulator.queueing.policy import Semantics
from idleq.simulator.queueing.slurm import SlurmSettings, in_whole_minutes
from idleq.simulator.table import Column, JobTable
from idleq.simulator.trace import Trace


class Engine(StrEnum):
    """What carries a run out; the starts are the same, job for job."""

    #: Everything there is.
    SIMPY = "simpy"
    #: The main queue alone, compiled.
    FAST = "fast"


@dataclass(frozen=True, slots=True, kw_only=True)
class MainSettings:
    """How the main queue is run.

    Attributes:
        policy: by the names of `queueing.catalog`.
        semantics: what an instant means.
        reservation: what a reservation is of.
        estimates: where the limits come from.
        over: for drawn ones: users ask for 1 to so many times what they need.
        seed: for drawn ones.
        engine: what carries it out.
        tau: for slowdowns, in seconds.
        slurm: for the policy of this name.
        outages: when parts of the machine are away.
    """

    policy: str = "easy"
    semantics: Semantics = Semantics.PER_TIMESTAMP
    reservation: Reservation = Reservation.COUNT
    estimates: Estimates = Estimates.USER
    over: float = 3.0
    seed: int = 1
    engine: Engine = Engine.SIMPY
    tau: int = TAU
    slurm: SlurmSettings = field(default_factory=SlurmSettings)
    outages: tuple[Outage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MainRun:
    """What came of it: the start of each job of *table*, and the sums.

    *restarts* counts how often outages killed jobs, which then began anew, and *lost* the processor-seconds that they had run;
    *killed* is since when until when, on how many processors.
    """

    table: JobTable
    start: Column
    metrics: Metrics
    restarts: int = 0
    lost: int = 0
    killed: tuple[tuple[int, int, int], ...] = ()


NAME = "main queue"
"""What the run is called where it is kept."""


def run_main(trace: Trace, settings: MainSettings, machine_code: Path, keeper: Keeper | None = None) -> MainRun:
    """Run the main jobs of *trace*; *keeper* keeps the run of the SimPy engine.

    Raises:
        ImpossibleParameters: the settings do not go together.
        FastMissing: the fast engine is not installed.
    """
    if settings.tau < 1:
        raise ImpossibleParameters(f"slowdowns need a tau of at least 1 second, not {settings.tau}")
    policy = policy_named(settings.policy, trace.processors, settings.reservation, settings.slurm)
    table = estimated(trace.table, settings.estimates, settings.over, settings.seed)
    if settings.policy == "slurm":
        table = in_whole_minutes(table)
    if settings.outages:
        return _run_around(table, trace.processors, settings, keeper)
    if settings.engine is Engine.FAST:
        start, passes = _run_fast(table, trace.processors, settings, machine_code)
    else:
        jobs = trace.jobs if table is trace.table else table.jobs()
        begin = partial(QueueRun, jobs, trace.processors, policy, settings.semantics)
        starts, passes = carried_out(NAME, begin, keeper)
        start = _in_order(starts, table)
    return MainRun(table=table, start=start, metrics=metrics(table, start, trace.processors, passes, settings.tau))


def _in_order(starts: Mapping[int, int], table: JobTable) -> Column:
    return np.fromiter((starts[number] for number in table.id.tolist()), dtype=np.int64, count=len(table))


def _run_around(table: JobTable, processors: int, settings: MainSettings, keeper: Keeper | None) -> MainRun:
    is_plain = settings.engine is Engine.SIMPY and settings.semantics is Semantics.PER_TIMESTAMP
    if not is_plain or settings.reservation is not Reservation.COUNT:
        raise ImpossibleParameters("outages go with per-timestamp, reservations by count, and --engine simpy")
    policy = evading(settings.policy, processors, settings.outages, settings.slurm)
    begin = partial(OutageRun, table.jobs(), processors, settings.outages, policy)
    run = carried_out(NAME, begin, keeper)
    start = _in_order(run.starts, table)
    sums = metrics(table, start, processors, run.passes, settings.tau)
    return MainRun(
        table=table, start=start, metrics=sums, restarts=run.restarts, lost=run.lost, killed=tuple(run.killed)
    )


def _run_fast(table: JobTable, processors: int, settings: MainSettings, machine_code: Path) -> tuple[Column, int]:
    from idleq.simulator.fast.engine import replay_fast

    if settings.reservation is not Reservation.COUNT and settings.policy != "fcfs":
        raise ImpossibleParameters("the fast engine counts processors: take --engine simpy for reservations by nodes")
    return replay_fast(table, processors, settings.policy, settings.semantics, machine_code)
