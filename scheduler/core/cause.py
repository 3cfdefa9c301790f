"""What ends a gap, or keeps a node from being one."""

from enum import StrEnum
from typing import NamedTuple, assert_never


class CauseKind(StrEnum):
    """The kinds of causes; plans of each come true in their own way."""

    #: A waiting main job is planned to start on the node.
    JOB = "job"
    #: A reservation begins.
    RESERVATION = "reservation"
    #: A maintenance begins.
    MAINTENANCE = "maintenance"
    #: The site's scheduler holds the node for a job that it does not show.
    HELD = "held"
    #: No job may be started on the node (no end of a gap: there is none).
    CLOSED = "closed"
    #: Nor on this one, and somebody waits for those that are there to end.
    DRAINED = "drained"


BOOKED = frozenset({CauseKind.RESERVATION, CauseKind.MAINTENANCE})
"""What closes a node without starting a job there."""

EMPTYING = BOOKED | {CauseKind.DRAINED}
"""What closes a node on which our guests would keep somebody waiting, though the site's scheduler lets them stay."""


class Cause(NamedTuple):
    """One cause; *name* is the site's own for the job or the reservation, or says in words why the node is closed."""

    kind: CauseKind
    name: str = ""


def in_words(cause: Cause | None) -> str:
    """Return what ends a gap, for people; None is a plan of which no more is known."""
    if cause is None:
        return "the plan"
    match cause.kind:
        case CauseKind.JOB:
            return f"the plan of job {cause.name}"
        case CauseKind.RESERVATION | CauseKind.MAINTENANCE:
            return f"{cause.kind} {cause.name}"
        case CauseKind.HELD:
            return "it is held for a job that is not shown"
        case CauseKind.CLOSED | CauseKind.DRAINED:
            return cause.name
        case _:
            assert_never(cause.kind)
