"""What all strategies on one site share: the main jobs, how they run without guests, and the time that is measured."""

from dataclasses import dataclass, field, replace

from idleq.ids import Millis
from idleq.simulator.errors import BadTrace, ImpossibleParameters
from idleq.simulator.estimates import estimated
from idleq.simulator.harm import shaken
from idleq.simulator.harvest import IdleGap
from idleq.simulator.jobmemory import in_whole_nodes, with_memory
from idleq.simulator.jobs import MainJob, scaled
from idleq.simulator.metrics import WARM_UP
from idleq.simulator.outagerun import OutageRun
from idleq.simulator.outages import Outage
from idleq.simulator.placement import SizeUnit
from idleq.simulator.places import Places
from idleq.simulator.queueing import Policy, replay
from idleq.simulator.queueing.around import Evading, evading
from idleq.simulator.queueing.catalog import policy_named
from idleq.simulator.queueing.fitting import Fitting
from idleq.simulator.queueing.slurm import in_milliseconds, in_whole_minutes, settings_from
from idleq.simulator.scenario import Scenario
from idleq.simulator.sources import load_trace
from idleq.simulator.strategies import Site
from idleq.simulator.table import JobTable
from idleq.simulator.trace import Trace

DAY_S = 86_400
SECOND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A site before any guest comes; times in milliseconds from the beginning of the part that is used.

    Attributes:
        trace: the part of the trace that is used.
        jobs: its main jobs as the site runs them, by submit; sizes in the site's units.
        starts: when each starts without guests.
        gaps: those of the run without guests.
        away: where nodes are away and no main job holds them, in that run.
        killed: when main jobs of that run hold so many units until an outage kills them.
        outages: when nodes are away.
        nodes: how many the site has.
        since, until: what is measured: the first hundredth of the jobs has ended, and the last is submitted.
    """

    trace: Trace
    jobs: tuple[MainJob, ...]
    starts: dict[int, int]
    gaps: list[IdleGap]
    nodes: int
    since: Millis
    until: Millis
    away: list[IdleGap] = field(default_factory=list)
    killed: list[tuple[int, int, int]] = field(default_factory=list)
    outages: tuple[Outage, ...] = ()

    @property
    def counted(self) -> list[MainJob]:
        """The main jobs that count for waits and slowdowns: those that end in the measured time without guests."""
        return [job for job in self.jobs if self.since <= self.starts[job.id] + job.run <= self.until]


def set_stage(scenario: Scenario, places: Places) -> Stage:
    """Run the main jobs of *scenario* without guests.

    Raises:
        TraceUnknown, BadTrace, BadOutages, ImpossibleParameters: there is nothing to run.
    """
    whole = trace_of_site(scenario, places)
    trace = part_of(whole, scenario.begin_days, scenario.days)
    nodes = nodes_of(trace.processors, scenario.node_cores)
    jobs = _jobs(trace.table, scenario)
    units = units_of(scenario, nodes)
    outages = outages_of(scenario, whole, trace)
    starts, killed = _starts(scenario, jobs, sum(units), outages)
    since, until = measured(jobs, starts)
    gaps, away = unheld(scenario, nodes, jobs, until, outages)
    return Stage(
        trace=trace,
        jobs=jobs,
        starts=starts,
        gaps=gaps,
        nodes=nodes,
        since=since,
        until=until,
        away=away,
        killed=killed,
        outages=outages,
    )


def unheld(
    scenario: Scenario, nodes: int, jobs: tuple[MainJob, ...], until: Millis, outages: tuple[Outage, ...]
) -> tuple[list[IdleGap], list[IdleGap]]:
    """Return the gaps of the run of *jobs* without guests, and what no main job holds there because it is away."""
    site = Site(
        nodes=nodes,
        node=scenario.node,
        jobs=jobs,
        until=until,
        sharing=sharing_of(scenario),
        placement=scenario.placement,
        policy=policy_of(scenario, sum(units_of(scenario, nodes)), outages),
        semantics=scenario.semantics,
        outages=outages,
    )
    return site.unheld()


def trace_of_site(scenario: Scenario, places: Places) -> Trace:
    """Return the whole trace of *scenario*, without jobs that its nodes have no room for.

    Raises:
        TraceUnknown, BadTrace, ImpossibleParameters: there is nothing to run.
    """
    trace = load_trace(scenario.trace, places, scenario.procs)
    nodes_of(trace.processors, scenario.node_cores)
    return trace if scenario.memory is None else with_memory(trace, scenario.node_cores, scenario.memory)


def _starts(
    scenario: Scenario, jobs: tuple[MainJob, ...], units: int, outages: tuple[Outage, ...]
) -> tuple[dict[int, int], list[tuple[int, int, int]]]:
    """Return when each job starts without guests, of one that outages kill the run that it finishes; and what was killed."""
    if outages:
        run = OutageRun(jobs, units, outages, _going_around(scenario, units, outages)).finish()
        return run.starts, run.killed
    return replay(jobs, units, policy_of(scenario, units), scenario.semantics), []


def outages_of(scenario: Scenario, whole: Trace, part: Trace) -> tuple[Outage, ...]:
    """Return when nodes are away, in milliseconds from the beginning of *part* of the *whole* trace."""
    submit = part.table.submit
    found = scenario.outage_source.outages(
        part.processors,
        int(submit[0]),
        int(submit[-1]),
        zero=begin_of(whole, scenario.begin_days),
        node_cores=scenario.node_cores,
    )
    return tuple(replace(one, begin=one.begin * SECOND, until=one.until * SECOND) for one in found)


def sharing_of(scenario: Scenario) -> SizeUnit:
    """Return what main jobs take; nodes of one core are whole nodes."""
    return SizeUnit.NODES if scenario.has_whole_nodes else SizeUnit.CORES


def nodes_of(processors: int, node_cores: int) -> int:
    """Return how many nodes of *node_cores* a machine has.

    Raises:
        ImpossibleParameters: it is not made of such nodes.
    """
    if processors % node_cores:
        raise ImpossibleParameters(
            f"{processors} processors are not made of nodes of {node_cores}: give another node_cores, or procs"
        )
    return processors // node_cores


def units_of(scenario: Scenario, nodes: int) -> list[int]:
    """Return how many units of each node main jobs can hold."""
    return [scenario.node_cores if scenario.sharing is SizeUnit.CORES else 1] * nodes


def _going_around(scenario: Scenario, units: int, outages: tuple[Outage, ...]) -> Evading:
    return evading(scenario.policy, units, outages, in_milliseconds(settings_from(scenario.slurm)))


def policy_of(scenario: Scenario, units: int, outages: tuple[Outage, ...] = ()) -> Policy:
    """Return a new policy for one queue that counts milliseconds."""
    if outages:
        return _going_around(scenario, units, outages)
    if scenario.counts_memory:
        return Fitting([scenario.node] * (units // scenario.node_cores), scenario.policy, scenario.placement)
    settings = in_milliseconds(settings_from(scenario.slurm))
    node_cores = scenario.node_cores if scenario.sharing is SizeUnit.CORES else 1
    return policy_named(scenario.policy, units, scenario.reservation, settings, node_cores)


def part_of(trace: Trace, begin_days: float, days: float | None) -> Trace:
    """Return the jobs of *trace* that come in from day *begin_days* on for so many *days*, from time 0 on.

    Raises:
        BadTrace: there are none.
    """
    table = trace.table
    begin = begin_of(trace, begin_days)
    is_in = table.submit >= begin
    if days is not None:
        is_in &= table.submit < begin + round(days * DAY_S)
    if not is_in.any():
        raise BadTrace(f"{trace.name} has no jobs that can run in the part that is asked for")
    used = table.where(is_in)
    return replace(trace, table=replace(used, submit=used.submit - begin))


def begin_of(trace: Trace, begin_days: float) -> int:
    """Return when on the clock of *trace* its day *begin_days* begins."""
    return int(trace.table.submit[0]) + round(begin_days * DAY_S) if len(trace.table) else 0


def _jobs(table: JobTable, scenario: Scenario) -> tuple[MainJob, ...]:
    table = estimated(table, scenario.estimates, scenario.over, scenario.seed)
    if scenario.policy == "slurm":
        table = in_whole_minutes(table)
    if scenario.sharing is SizeUnit.NODES:
        table = in_whole_nodes(table, scenario.node_cores, scenario.memory)
    jobs = tuple(scaled(table.jobs(), SECOND))
    return tuple(shaken(jobs, scenario.seed, scenario.shake_ms)) if scenario.shake_ms else jobs


def measured(jobs: tuple[MainJob, ...], starts: dict[int, int]) -> tuple[Millis, Millis]:
    """Return from when until when a run is measured: without the warm-up and the drain; all of it where nothing else is left."""
    ends = sorted(starts[job.id] + job.run for job in jobs)
    since, until = ends[int(len(jobs) * WARM_UP)], jobs[-1].submit
    return (Millis(since), Millis(until)) if since < until else (Millis(0), Millis(ends[-1]))
