"""What the engine is told of the nodes, made of all that Slurm said: pure, and the same for every version and way of asking."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.commands import RequestAllocation
from idleq.scheduler.core.inputs import NodeReport, ViewChanged
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.scheduler.slurm.hostlist import expand
from idleq.scheduler.slurm.plan import IsOurs, Plan, follow
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import NodeRecord, instant

OPEN = frozenset({"ALLOCATED", "CLOUD", "DYNAMIC_NORM", "IDLE", "MIXED", "PLANNED"})
"""A node is a gap only if all that is said of it is among these. Whatever else there is, or comes with a newer Slurm (down, drained,
completing, reserved, powered down, rebooting, not responding), is none: jobs could not start there, or it would cost the site energy."""

PLANNED = "PLANNED"

NEVER = Millis(253_402_300_799_000)
"""The end of a job without a time limit: the last second of the year 9999."""


@dataclass(frozen=True, slots=True)
class View:
    """The nodes as the engine is told of them, and the plan that was believed in telling."""

    reports: Mapping[NodeName, NodeReport]
    plan: Plan


@dataclass(slots=True)
class _Uses:
    """What is gathered about one node from all jobs and reservations."""

    guests: Resources = NOTHING
    busy_until: Millis | None = None
    planned_start: Millis | None = None
    is_reserved: bool = False
    main_jobs: list[int] = field(default_factory=list)


def build_view(previous: View | None, reading: Reading, is_ours: IsOurs) -> View:
    """Return what *reading* shows, with what is still believed of the plan in *previous*."""
    plan = follow(previous.plan if previous is not None else None, reading, is_ours)
    uses: defaultdict[NodeName, _Uses] = defaultdict(_Uses)
    _add_jobs(uses, reading, is_ours)
    for planned in plan.starts.values():
        for name in expand(planned.nodes):
            uses[name].planned_start = _earlier(uses[name].planned_start, planned.start)
    _add_reservations(uses, reading)
    reports = {node.name: _report(node, uses[node.name], reading.at) for node in reading.nodes}
    return View(reports, plan)


def changes(previous: View | None, view: View) -> ViewChanged | None:
    """Return what the engine has not been told yet, None if nothing."""
    known = previous.reports if previous is not None else {}
    deltas = tuple(report for name, report in view.reports.items() if known.get(name) != report)
    gone = tuple(name for name in known if name not in view.reports)
    return ViewChanged(deltas=deltas, gone=gone) if deltas or gone else None


def node_for(command: RequestAllocation, view: View | None) -> NodeName | None:
    """Return the node to name in asking for *command*, None if Slurm may take any.

    Where main jobs leave the same of every node, any will do. Elsewhere Slurm would put what was cut for a small gap into a large
    one, and what was cut for the large one would wait.
    """
    if command.node is not None or view is None:
        return command.node
    rooms = {report.free for report in view.reports.values() if report.is_up and report.free.cores}
    return command.seen_on if len(rooms) > 1 else None


def _add_jobs(uses: defaultdict[NodeName, _Uses], reading: Reading, is_ours: IsOurs) -> None:
    for job in reading.jobs:
        if not job.is_on_nodes:
            continue
        is_guest = is_ours(job)
        end = instant(job.end_time) or NEVER
        for name in expand(job.nodes):
            use = uses[name]
            if is_guest:
                use.guests += job.resources  # ours hold one node each
                continue
            use.busy_until = end if use.busy_until is None else max(use.busy_until, end)
            use.main_jobs.append(job.job_id)


def _add_reservations(uses: defaultdict[NodeName, _Uses], reading: Reading) -> None:
    for reservation in reading.reservations:
        start, end = instant(reservation.start_time), instant(reservation.end_time)
        if start is None or (end is not None and end <= reading.at):
            continue
        for name in reservation.nodes:
            if start <= reading.at:
                uses[name].is_reserved = True
            else:
                uses[name].planned_start = _earlier(uses[name].planned_start, start)


def _report(node: NodeRecord, use: _Uses, now: Millis) -> NodeReport:
    capacity, states = node.capacity, node.states
    planned_start = use.planned_start
    if planned_start is None and PLANNED in states:
        planned_start = now  # held for a job whose start is not shown to us: no time is certain
    return NodeReport(
        name=node.name,
        capacity=capacity,
        free=_free(capacity, node.allocated, use.guests),
        is_up=states <= OPEN and not use.is_reserved,
        busy_until=use.busy_until,
        planned_start=planned_start,
        main_job=",".join(map(str, use.main_jobs)),
    )


def _free(capacity: Resources, allocated: Resources, guests: Resources) -> Resources:
    """Return what main jobs leave; jobs and nodes are asked one after the other, so a guest may be in one answer only."""
    return Resources(
        max(0, min(capacity.cores - allocated.cores + guests.cores, capacity.cores)),
        max(0, min(capacity.memory - allocated.memory + guests.memory, capacity.memory)),
        max(0, min(capacity.gpus - allocated.gpus + guests.gpus, capacity.gpus)),
    )


def _earlier(known: Millis | None, start: Millis) -> Millis:
    return start if known is None else min(known, start)
