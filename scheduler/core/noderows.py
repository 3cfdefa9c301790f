"""What people are told of nodes and their gaps: what is believed, why, and how far that can be trusted."""

from collections.abc import Iterator

from idleq.ids import Millis
from idleq.scheduler.core.cause import CauseKind, in_words
from idleq.scheduler.core.confidence import Belief
from idleq.scheduler.core.resources import NOTHING
from idleq.scheduler.core.rows import NodeRow
from idleq.scheduler.core.state import Node, State


def node_rows(state: State, now: Millis) -> Iterator[NodeRow]:
    """Yield a row for every node, by name; *now* may be later than the state's own time, which is that of its last turn."""
    record = state.foresight.record
    beliefs = {kind: record.belief(kind) for kind in CauseKind}
    for name, node in sorted(state.nodes.items()):
        held = state.allocations.get(node.allocation) if node.allocation is not None else None
        gap, report = node.gap, node.report
        end = gap.end.likely if gap else None
        trusted = beliefs[report.cause.kind if report.cause else CauseKind.JOB] if end is not None else None
        yield NodeRow(
            name=name,
            is_up=report.is_up,
            capacity=report.capacity,
            free=report.free,
            main_job=report.main_job,
            busy_until=report.busy_until,
            gap_since=gap.since if gap else None,
            gap_until=end,
            gap_source=_source(node),
            allocation=held.id if held else None,
            hold=held.hold.value if held else "",
            used=held.used if held else NOTHING,
            guests=tuple(held.guests) if held else (),
            gap_early=_early(trusted, end, now),
            gap_trust=trusted.percent if trusted else None,
            gap_cases=trusted.cases if trusted else 0,
            opens_until=report.planned_start if gap is None and report.is_up else None,
            has_hosted=node.abilities is not None,
        )


def _early(trusted: Belief | None, end: Millis | None, now: Millis) -> Millis | None:
    return None if trusted is None or end is None else trusted.earliest(end, now)


def _source(node: Node) -> str:
    if node.gap is not None:
        return node.gap.end.source
    report = node.report
    if report.is_up:
        return "" if report.planned_start is None else in_words(report.cause)
    return in_words(report.cause) if report.cause else ""
