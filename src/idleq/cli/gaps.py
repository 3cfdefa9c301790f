"""How gaps read to people: pure functions from the daemon's rows of nodes to gaps, and to what has changed of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from idleq.cli.result import Table
from idleq.cli.wording import counted, resources, span
from idleq.ids import Millis, NodeName
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.rows import NodeRow

DECADE_MS = 10 * 366 * 24 * 3_600_000
"""What ends later has no end: jobs without a time limit are told so."""


class GapState(StrEnum):
    """Where a node's gap is in time."""

    #: It is there now.
    OPEN = "open"
    #: It comes when the main jobs there end.
    COMING = "coming"
    #: No job may start on the node.
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """What is believed of one node's gap.

    Attributes:
        node: where.
        state: whether it is there now.
        free: what main jobs leave of the node.
        begins, ends: from when to when, None for what is not known.
        early: but for one in twenty it lasts until then.
        trust: so many of a hundred ends of this kind have come true, or are believed to.
        cases: how many of the kind were seen.
        why: where the belief comes from.
    """

    node: NodeName
    state: GapState
    free: Resources
    begins: Millis | None
    ends: Millis | None
    early: Millis | None
    trust: int | None
    cases: int
    why: str


def gap_row(node: NodeRow, now: int) -> GapRow:
    """Return what is believed of the gap of *node*."""
    state = _state(node)
    begins, ends, why = node.gap_since, node.gap_until, node.gap_source
    if state is GapState.COMING:
        begins, ends = node.busy_until, node.opens_until
        if begins is not None and begins > now + DECADE_MS:
            begins = None
        why = _why_coming(node, has_end=begins is not None)
    return GapRow(
        node=node.name,
        state=state,
        free=node.free,
        begins=begins,
        ends=ends,
        early=node.gap_early,
        trust=node.gap_trust,
        cases=node.gap_cases,
        why=why,
    )


def _state(node: NodeRow) -> GapState:
    if not node.is_up:
        return GapState.CLOSED
    return GapState.OPEN if node.gap_since is not None else GapState.COMING


def _why_coming(node: NodeRow, *, has_end: bool) -> str:
    names = node.main_job.replace(",", ", ")
    who = f"jobs {names}" if "," in node.main_job else f"job {names}" if names else "main jobs"
    ends = ("end" if "," in node.main_job or not names else "ends") + " by time limit"
    first = f"{who} {ends}" if has_end else f"{who}: no end is known"
    return f"{first}; then {node.gap_source}" if node.gap_source else first


def gaps_table(rows: Iterable[GapRow], now: int) -> Table:
    """Return one line per node."""
    return Table(
        columns=("NODE", "GAP", "FREE", "FROM", "UNTIL", "AT LEAST", "TRUST", "WHY"),
        rows=[(row.node, row.state.value, _free(row), *_times(row, now), _trust(row), row.why or "-") for row in rows],
        expendable=("FREE", "TRUST", "FROM", "AT LEAST"),
        elastic="WHY",
    )


def _free(row: GapRow) -> str:
    """Return what there is; memory without a core is of use to nobody."""
    return resources(row.free) if row.free.cores else "-"


def _times(row: GapRow, now: int) -> tuple[str, str, str]:
    ends = "unknown" if row.ends is None else _ahead(row.ends, now)
    match row.state:
        case GapState.CLOSED:
            return "-", "-", "-"
        case GapState.OPEN:
            since = "-" if row.begins is None else f"{span(max(0, now - row.begins))} ago"
            return since, ends, "-" if row.early is None else _ahead(row.early, now)
        case GapState.COMING:
            return "unknown" if row.begins is None else _ahead(row.begins, now), ends, "-"
        case _:
            assert_never(row.state)


def _ahead(at: int, now: int) -> str:
    return f"in {span(max(0, at - now))}"


def _trust(row: GapRow) -> str:
    return "-" if row.trust is None else f"{row.trust} % ({row.cases} seen)"


def changed(before: Mapping[NodeName, GapRow], rows: Iterable[GapRow]) -> Iterator[GapRow]:
    """Yield the gaps of which something else is believed than *before*; that time passes, and trust with it, changes nothing."""
    for row in rows:
        known = before.get(row.node)
        if known is None or _belief(known) != _belief(row):
            yield row


def _belief(row: GapRow) -> GapRow:
    return replace(row, early=None, trust=None, cases=0)


def _beginning(begins: str) -> str:
    return "begins at an unknown time" if begins == "unknown" else f"begins {begins}"


def _ending(ends: str) -> str:
    return "no end is known" if ends == "unknown" else f"ends {ends}"


def gap_line(row: GapRow, now: int) -> str:
    """Return one gap as a line of its own."""
    begins, ends, early = _times(row, now)
    match row.state:
        case GapState.CLOSED:
            return f"{row.node}: closed ({row.why or 'no reason is known'})"
        case GapState.OPEN:
            surely = "" if early == "-" else f", at least {early.removeprefix('in ')}"
            trust = "" if row.trust is None else f"; trust {row.trust} %, {row.cases} seen"
            return f"{row.node}: {resources(row.free)} free, {_ending(ends)}{surely} ({row.why}{trust})"
        case GapState.COMING:
            return f"{row.node}: a gap {_beginning(begins)}, {_ending(ends)} ({row.why})"
        case _:
            assert_never(row.state)


def heading(rows: Iterable[GapRow]) -> str:
    """Return how many gaps there are."""
    states = [row.state for row in rows]
    counts = (f"{states.count(state)} {state.value}" for state in GapState)
    return f"{counted(len(states), 'node')}: {', '.join(counts)}"
