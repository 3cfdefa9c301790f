"""What guests cost main jobs: how long these waited for guests to leave, against what they may."""

from collections.abc import Sequence
from dataclasses import dataclass

from idleq.ids import Millis
from idleq.scheduler.core.sitefacts import MainJobHeldUp


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmRow:
    """A main job that started where guests had to leave.

    Attributes:
        at_ms: when.
        main_job: its name.
        nodes: where.
        waited_ms: from the signal to the guests until its start.
        bound_ms: the most it may wait.
        guests_alive: guests still alive on its nodes when it started.
    """

    at_ms: int
    main_job: str
    nodes: tuple[str, ...]
    waited_ms: int
    bound_ms: int
    guests_alive: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """All main jobs that started where guests had to leave.

    Attributes:
        main_jobs: how many.
        waited: how many of them waited at all.
        over_bound: how many waited longer than their bound.
        guests_alive: guests still alive when a main job started, all together; any at all is a fault.
        waited_ms_sum: all waits together.
        waited_ms_mean: over all of them; None if there was none.
        waited_ms_max: the longest.
        back_offs: how often idleq backed off for them.
        rows: each of them, in order.
    """

    main_jobs: int
    waited: int
    over_bound: int
    guests_alive: int
    waited_ms_sum: int
    waited_ms_mean: float | None
    waited_ms_max: int | None
    back_offs: int
    rows: tuple[HarmRow, ...]


def summarise(held_up: Sequence[tuple[Millis, MainJobHeldUp]], back_offs: int) -> Harm:
    """Sum up *held_up*, for which idleq backed off that often."""
    rows = tuple(
        HarmRow(
            at_ms=at,
            main_job=fact.main_job,
            nodes=fact.nodes,
            waited_ms=fact.waited_ms,
            bound_ms=fact.bound_ms,
            guests_alive=fact.guests_alive,
        )
        for at, fact in held_up
    )
    total = sum(row.waited_ms for row in rows)
    return Harm(
        main_jobs=len(rows),
        waited=sum(row.waited_ms > 0 for row in rows),
        over_bound=sum(row.waited_ms > row.bound_ms for row in rows),
        guests_alive=sum(row.guests_alive for row in rows),
        waited_ms_sum=total,
        waited_ms_mean=total / len(rows) if rows else None,
        waited_ms_max=max((row.waited_ms for row in rows), default=None),
        back_offs=back_offs,
        rows=rows,
    )
