"""Guests that freeze by their plans, over one path to the file system, and whether that is in time."""

from collections.abc import Iterable
from dataclasses import dataclass

from idleq.ids import AllocationId, Millis
from idleq.scheduler.core.commands import SegmentPlan
from idleq.scheduler.core.freeze import FreezeCost
from idleq.scheduler.core.timing import WORTH_TELLING

NOT_JUDGED = FreezeCost(Millis(0), Millis(0))


@dataclass(slots=True, kw_only=True)
class Seat:
    """A guest's place at its agent.

    Attributes:
        allocation: where it is.
        plan: what it was told last.
        told_at: when it was told that.
        cost: what its freeze was expected to take when the plans of all guests there were last looked at.
        over_at: when its freeze is over, once it transfers; None until then.
    """

    allocation: AllocationId
    plan: SegmentPlan
    told_at: Millis
    cost: FreezeCost = NOT_JUDGED
    over_at: Millis | None = None

    @property
    def begins_at(self) -> Millis:
        """When it freezes by its plan."""
        assert self.plan.freeze_at is not None, "it can freeze and its end is known, but it has not been told when"
        return self.plan.freeze_at

    @property
    def transfers_at(self) -> Millis:
        """When it wants the path that all guests there share."""
        return Millis(self.begins_at + self.cost.latency_ms)


def last_over(wanted: Iterable[tuple[int, int]]) -> int:
    """Return when the last of these transfers, each with when it is *wanted* and how long it takes, is over."""
    over = 0
    for begin, length in sorted(wanted):
        over = max(over, begin) + length
    return over


def judge(seats: Iterable[Seat], end: Millis, margin_ms: Millis, now: Millis) -> Millis | None:
    """Hold the plans of all guests of an agent to the *end* of their gap; return when all their freezes have to be over.

    Plans are moved only where that is worth a message. None if even those who begin in time may come too late, as some cannot.
    """
    seats = list(seats)
    deadline = Millis(end - margin_ms + WORTH_TELLING)
    over = last_over((seat.transfers_at, seat.cost.transfer_ms) for seat in seats)
    soonest = last_over((now + seat.cost.latency_ms, seat.cost.transfer_ms) for seat in seats)
    assert over <= max(deadline, soonest), f"by plan all are frozen at {over}, but the gap ends at {end}"
    coming = [seat for seat in seats if seat.over_at is None]
    busy_until = max((seat.over_at for seat in seats if seat.over_at is not None), default=0)
    is_possible = all(seat.begins_at >= seat.told_at and seat.transfers_at >= max(now, busy_until) for seat in coming)
    return deadline if is_possible else None
