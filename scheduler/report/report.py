"""The report: every number that text, JSON and page show, from the journal's facts alone."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from idleq import __version__
from idleq.ids import Millis, NodeName
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.report import gaps as gap_numbers
from idleq.scheduler.report import harm as harm_numbers
from idleq.scheduler.report.gantt import Drawing, Gantt, NodeLine, natural
from idleq.scheduler.report.gaps import Cost, Gap, GapFinder, Gaps
from idleq.scheduler.report.harm import Harm
from idleq.scheduler.report.jobs import JobRow, job_row
from idleq.scheduler.report.segment import Ending, Segment
from idleq.scheduler.report.series import Binner, Series
from idleq.scheduler.report.slices import slices
from idleq.scheduler.report.timeline import Timeline, read
from idleq.scheduler.report.utilisation import Areas, Utilisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the journal says of a stretch of time. Times are in milliseconds since the Unix epoch.

    Attributes:
        idleq_version: what made this report.
        since_ms: the first fact's time.
        until_ms: where the report ends.
        facts: how many facts it stands on.
        policy: the policy in force at the end; None if the journal names none.
        policies: how many policies were in force, one after the other.
        nodes: how many nodes were seen.
        peak_cores: the cores of all nodes, each at its largest.
        utilisation: the areas and shares.
        gaps: what main jobs left.
        segments: how often a job was started or thawed.
        freezes: how often one was frozen.
        moves: how often one went on, on another node than before.
        jobs: those that have started.
        jobs_not_started: how many others wait.
        jobs_cancelled_unstarted: how many others were cancelled.
        harm: what guests cost main jobs.
        series: who held the cores over time.
        gantt: which node did what when.
    """

    idleq_version: str
    since_ms: int
    until_ms: int
    facts: int
    policy: Policy | None
    policies: int
    nodes: int
    peak_cores: int
    utilisation: Utilisation
    gaps: Gaps
    segments: int
    freezes: int
    moves: int
    jobs: tuple[JobRow, ...]
    jobs_not_started: int
    jobs_cancelled_unstarted: int
    harm: Harm
    series: Series
    gantt: Gantt


def build(facts: Iterable[tuple[Millis, Fact]], until: Millis | None = None) -> Report:
    """Make the report of *facts* up to *until* (None: up to the last one)."""
    timeline = read(facts, until)
    areas, binner, found = Areas(), Binner(timeline.since, timeline.until), list[Gap]()
    drawing = _drawing(timeline)
    for line in _node_lines(timeline):
        finder = GapFinder(line.node, timeline.closures)
        for piece in line.pieces:
            areas.add(piece)
            binner.add(piece)
            found += finder.follow(piece)
        found += finder.finish(timeline.until)
        drawing.add(line)
    gaps = gap_numbers.summarise(found, _cost(timeline), timeline.closures.values())
    return _assemble(timeline, areas.utilisation(gaps.harvestable_core_s), gaps, binner.series(), drawing)


def _node_lines(timeline: Timeline) -> Iterable[NodeLine]:
    guests = defaultdict[NodeName, list[Segment]](list)
    for job in timeline.jobs:
        for segment in job.segments:
            guests[segment.node].append(segment)
    for node in sorted(timeline.nodes, key=natural):
        steps = timeline.nodes[node]
        yield NodeLine(node, steps, guests[node], list(slices(steps, guests[node], timeline.until)))


def _drawing(timeline: Timeline) -> Drawing:
    stretches = sum(len(steps) for steps in timeline.nodes.values()) + sum(len(job.segments) for job in timeline.jobs)
    return Drawing(len(timeline.nodes), stretches, timeline.since, timeline.until, [], [])


def _cost(timeline: Timeline) -> Cost:
    segments = [segment for job in timeline.jobs for segment in job.segments]
    freeze = gap_numbers.median(sorted(one.freeze_ms for one in segments if one.ending is Ending.FROZEN))
    thaw = gap_numbers.median(sorted(one.thaw_ms for one in segments if one.is_thaw and one.running_since is not None))
    policy = timeline.policies[-1] if timeline.policies else Policy()
    return Cost(
        freeze_ms=policy.freeze_ms if freeze is None else Millis(freeze),
        thaw_ms=policy.thaw_ms if thaw is None else Millis(thaw),
        is_measured=freeze is not None and thaw is not None,
    )


def _assemble(timeline: Timeline, utilisation: Utilisation, gaps: Gaps, series: Series, drawing: Drawing) -> Report:
    jobs = tuple(job_row(job, timeline.until) for job in timeline.jobs if job.segments)
    unstarted = [job for job in timeline.jobs if not job.segments]
    cancelled = sum(job.state == "cancelled" for job in unstarted)
    return Report(
        idleq_version=__version__,
        since_ms=timeline.since,
        until_ms=timeline.until,
        facts=timeline.facts,
        policy=timeline.policies[-1] if timeline.policies else None,
        policies=len(timeline.policies),
        nodes=len(timeline.nodes),
        peak_cores=sum(max(step.cores for step in steps) for steps in timeline.nodes.values()),
        utilisation=utilisation,
        gaps=gaps,
        segments=sum(job.segments for job in jobs),
        freezes=sum(job.freezes for job in jobs),
        moves=sum(job.moves for job in jobs),
        jobs=jobs,
        jobs_not_started=timeline.unstarted + len(unstarted) - cancelled,
        jobs_cancelled_unstarted=timeline.cancelled_unstarted + cancelled,
        harm=harm_numbers.summarise(timeline.held_up, timeline.back_offs),
        series=series,
        gantt=drawing.gantt(timeline.jobs),
    )
