"""What a world tells, in milliseconds from its start, and how the engine hears of it."""

from collections.abc import Iterable
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.inputs import (
    AllocationGranted,
    AllocationLost,
    Input,
    MainJobStarted,
    NodeReport,
    ViewChanged,
)
from idleq.scheduler.core.resources import Resources
from idleq.simulator.jobs import MainJob


class NodeChanged(Struct, frozen=True, kw_only=True, gc=False):
    """A node looks different from what was last told."""

    report: NodeReport


class Granted(Struct, frozen=True, kw_only=True, gc=False):
    """An allocation begins; it ends at *until* at the latest."""

    allocation: AllocationId
    node: NodeName
    resources: Resources
    until: Millis


class Preempting(Struct, frozen=True, kw_only=True, gc=False):
    """An allocation must be empty within *grace_ms*, then whatever is left of it is killed."""

    allocation: AllocationId
    grace_ms: Millis
    reason: str


class Ended(Struct, frozen=True, kw_only=True, gc=False):
    """An allocation is over; whoever hosts it kills what is left of it before anything else happens."""

    allocation: AllocationId
    reason: str


class MainStarted(Struct, frozen=True, kw_only=True, gc=False):
    """A main job started.

    Attributes:
        job: which.
        nodes: where.
        units: how many units of each of them.
        waited_ms: from the decision to start it, when guests in its way were signalled, until its start.
        bound_ms: the most that it could have waited.
        left: the allocations that had to make room.
    """

    job: MainJob
    nodes: tuple[NodeName, ...]
    units: tuple[int, ...]
    waited_ms: Millis
    bound_ms: Millis
    left: tuple[AllocationId, ...]


class MainEnded(Struct, frozen=True, kw_only=True, gc=False):
    """A main job is over."""

    job: MainJob


WorldEvent = NodeChanged | Granted | Preempting | Ended | MainStarted | MainEnded


def shifted(report: NodeReport, epoch: Millis) -> NodeReport:
    """Return *report* with its times in engine time, which is *epoch* at the world's start."""
    if not epoch:
        return report
    return replace(
        report, busy_until=_shift(report.busy_until, epoch), planned_start=_shift(report.planned_start, epoch)
    )


def as_inputs(events: Iterable[WorldEvent], epoch: Millis, guests_alive: int = 0) -> list[Input]:
    """Return what the engine hears of *events* of one moment: one view, then the rest in order.

    *epoch* is the engine's time at the world's start; *guests_alive* counts guests found alive where a main job started.
    """
    told: list[Input] = []
    reports: dict[NodeName, NodeReport] = {}
    for event in events:
        if isinstance(event, NodeChanged):
            reports[event.report.name] = shifted(event.report, epoch)
        elif (said := as_input(event, epoch, guests_alive)) is not None:
            told.append(said)
    view: list[Input] = [ViewChanged(deltas=tuple(reports.values()))] if reports else []
    return view + told


def as_input(
    event: Granted | Preempting | Ended | MainStarted | MainEnded, epoch: Millis, guests_alive: int = 0
) -> Input | None:
    """Return what the engine hears of *event* beside the view, None if nothing."""
    match event:
        case Granted(allocation=allocation, node=node, resources=resources, until=until):
            end = Millis(until + epoch)
            return AllocationGranted(allocation=allocation, node=node, resources=resources, until=end)
        case Ended(allocation=allocation, reason=reason):
            return AllocationLost(allocation=allocation, reason=reason)
        case MainStarted(left=left) if left:
            return _harm(event, guests_alive)
        case MainStarted() | MainEnded() | Preempting():
            # The engine sees main jobs in the view; a preempted agent is signalled, and the engine hears its end.
            return None
        case _:
            assert_never(event)


def _harm(started: MainStarted, guests_alive: int) -> MainJobStarted:
    return MainJobStarted(
        main_job=str(started.job.id),
        nodes=started.nodes,
        waited_ms=started.waited_ms,
        bound_ms=started.bound_ms,
        guests_alive=guests_alive,
    )


def _shift(at: Millis | None, epoch: Millis) -> Millis | None:
    return None if at is None else Millis(at + epoch)
