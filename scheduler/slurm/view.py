"""What the engine is told of the nodes, made of all that Slurm said: pure, and the same for every version and way of asking."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import structs

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.cause import Cause, CauseKind
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

DRAINED = frozenset({"DRAIN", "FAIL", "POWER_DOWN", "POWER_DRAIN", "REBOOT_REQUESTED"})
"""Said of a node that an admin, or Slurm itself, wants empty: its jobs may end there, and are waited for."""

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
    """What is gathered about one node from all jobs and reservations; *closed* is why no job may start there, if something is so."""

    guests: Resources = NOTHING
    busy_until: Millis | None = None
    planned_start: Millis | None = None
    cause: Cause | None = None
    closed: Cause | None = None
    main_jobs: list[int] = field(default_factory=list)

    def plan(self, start: Millis, cause: Cause) -> None:
        """Something is planned there; the earliest counts."""
        if self.planned_start is None or start < self.planned_start:
            self.planned_start, self.cause = start, cause


def build_view(
    previous: View | None,
    reading: Reading,
    is_ours: IsOurs,
    partitions: frozenset[str] = frozenset(),
    features: frozenset[str] = frozenset(),
    *,
    shares_nodes: bool = False,
) -> View:
    """Return what *reading* shows, with what is still believed of the plan in *previous*.

    Guests go to *partitions*, or to the default one where none is named, and to nodes with all *features*: others are no gaps for them.
    Nor are nodes that main jobs have a part of, unless one *shares_nodes* with them.
    """
    plan = follow(previous.plan if previous is not None else None, reading, is_ours)
    uses: defaultdict[NodeName, _Uses] = defaultdict(_Uses)
    _add_jobs(uses, reading, is_ours)
    for number, planned in plan.starts.items():
        for name in expand(planned.nodes):
            uses[name].plan(planned.start, Cause(CauseKind.JOB, str(number)))
    _add_reservations(uses, reading)
    elsewhere = {**_unlike(reading, features), **_unreachable(reading, partitions)}
    reports: dict[NodeName, NodeReport] = {}
    for node in reading.nodes:
        use, states = uses[node.name], node.states
        _add_hold(use, states, previous.reports.get(node.name) if previous is not None else None, reading.at)
        report = _report(node, states, use, elsewhere.get(node.name))
        is_spared = bool(use.main_jobs) and not shares_nodes and report.is_up and report.free.cores > 0
        reports[node.name] = structs.replace(report, is_spared=True) if is_spared else report
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
    one, and what was cut for the large one would wait; and what was cut for a whole small node would share a large one with main jobs.
    """
    if command.node is not None or view is None:
        return command.node
    reports = [report for report in view.reports.values() if report.is_up and report.free.cores]
    are_alike = len({report.free for report in reports}) <= 1 and not any(report.is_spared for report in reports)
    return None if are_alike else command.seen_on


def _add_jobs(uses: defaultdict[NodeName, _Uses], reading: Reading, is_ours: IsOurs) -> None:
    for job in reading.jobs:
        if not job.is_on_nodes:
            continue
        on = [uses[name] for name in expand(job.nodes)]
        if is_ours(job):
            for use in on:
                use.guests += job.resources  # ours hold one node each
            continue
        number, end = job.job_id, instant(job.end_time) or NEVER
        for use in on:
            if use.busy_until is None or use.busy_until < end:
                use.busy_until = end
            use.main_jobs.append(number)
        # The cores of a suspended job count as free, its memory does not, and it goes on when its owner says so.
        if "SUSPENDED" in job.states:
            for use in on:
                use.closed = Cause(CauseKind.CLOSED, f"job {number} is suspended there")


def _add_reservations(uses: defaultdict[NodeName, _Uses], reading: Reading) -> None:
    for reservation in reading.reservations:
        start, end = instant(reservation.start_time), instant(reservation.end_time)
        if start is None or (end is not None and end <= reading.at):
            continue
        kind = CauseKind.MAINTENANCE if reservation.is_maintenance else CauseKind.RESERVATION
        for name in reservation.nodes:
            if start <= reading.at:
                uses[name].closed = Cause(kind, reservation.name)
            else:
                uses[name].plan(start, Cause(kind, reservation.name))


def _unreachable(reading: Reading, names: frozenset[str]) -> Mapping[NodeName, str]:
    """Return the nodes on which guests cannot start, whatever is free there, by their partitions; and why.

    Where partitions were not asked for, or none of those that are told is meant, nothing is known to be out of reach.
    """
    ours = [each for each in reading.partitions if (each.name in names if names else each.is_default)]
    if not ours:
        return {}
    why = dict.fromkeys(
        (node.name for node in reading.nodes), f"it is in no partition of {', '.join(each.name for each in ours)}"
    )
    for partition in sorted(ours, key=lambda each: each.starts_jobs):  # one that is up opens what another has closed
        for name in expand(partition.nodes):
            if partition.starts_jobs:
                why.pop(name, None)
            else:
                why[name] = f"partition {partition.name} is {partition.state.lower()}"
    return why


def _unlike(reading: Reading, features: frozenset[str]) -> Mapping[NodeName, str]:
    """Return the nodes that lack some of *features*, and which."""
    if not features:
        return {}
    return {
        node.name: f"it lacks {', '.join(sorted(lacking))}"
        for node in reading.nodes
        if (lacking := features - node.features)
    }


def _add_hold(use: _Uses, states: frozenset[str], before: NodeReport | None, now: Millis) -> None:
    """Count a node that is planned for a job whose start is not shown as wanted from when that was first seen: no time there is certain."""
    if use.planned_start is None and PLANNED in states:
        held = Cause(CauseKind.HELD)
        since = before.planned_start if before is not None and before.cause == held else None
        use.plan(now if since is None else since, held)


def _report(node: NodeRecord, states: frozenset[str], use: _Uses, elsewhere: str | None) -> NodeReport:
    capacity = node.capacity
    planned_start, cause = use.planned_start, use.cause
    if closed := _closed(states, use, elsewhere):
        planned_start, cause = None, closed
    return NodeReport(
        name=node.name,
        capacity=capacity,
        free=_free(capacity, node.allocated, use.guests),
        is_up=closed is None,
        busy_until=use.busy_until,
        planned_start=planned_start,
        main_job=",".join(map(str, use.main_jobs)),
        cause=cause,
    )


def _closed(states: frozenset[str], use: _Uses, elsewhere: str | None) -> Cause | None:
    """Return why no job of ours may start on a node, None if one may."""
    said = states - OPEN
    is_drained = not said.isdisjoint(DRAINED)
    if use.closed is not None and not is_drained:
        return use.closed
    if said:
        kind = CauseKind.DRAINED if is_drained else CauseKind.CLOSED
        return Cause(kind, ", ".join(sorted(word.lower().replace("_", " ") for word in said)))
    return None if elsewhere is None else Cause(CauseKind.CLOSED, elsewhere)


def _free(capacity: Resources, allocated: Resources, guests: Resources) -> Resources:
    """Return what main jobs leave; jobs and nodes are asked one after the other, so a guest may be in one answer only."""
    return Resources(
        max(0, min(capacity.cores - allocated.cores + guests.cores, capacity.cores)),
        max(0, min(capacity.memory - allocated.memory + guests.memory, capacity.memory)),
        max(0, min(capacity.gpus - allocated.gpus + guests.gpus, capacity.gpus)),
    )
