"""What the agent does next, given its guests, the time, the lease and the notice: a pure function."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from idleq.ids import Fence, JobId, Millis
from idleq.scheduler.agent.lease import Lease
from idleq.scheduler.core.commands import SegmentPlan
from idleq.scheduler.core.freeze import Unsaved, preemption_order

PATIENCE_MS = Millis(300_000)
"""A guest that was asked to save and has no end in sight is ended after this: it does not listen."""

Cause = Literal["workload", "agent"]


class Phase(Enum):
    """Where a guest is in its segment here."""

    #: Its folders are being filled; no process yet.
    PREPARING = auto()
    #: Its process runs.
    RUNNING = auto()
    #: It was asked to save and leave.
    FREEZING = auto()
    #: Its process has ended; what it left is being put away.
    CLOSING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestView:
    """One guest as far as decisions need it.

    Attributes:
        job: whose segment.
        fence: which one.
        phase: where it is.
        plan: when to act by ourselves.
        can_freeze: whether asking it to save makes sense.
        asked_at: when it was to be frozen; None if it was not.
        signalled_at: when it was asked by its signal to save itself; None while it was not, as criu's work takes as long as it has memory.
        is_stopping: whether it is being killed already.
        unsaved_ms: work since its last save.
        bytes: what its snapshot weighs, as far as known.
        memory_over: bytes it uses if that is more than it asked for; None if not.
    """

    job: JobId
    fence: Fence
    phase: Phase
    plan: SegmentPlan
    can_freeze: bool
    asked_at: Millis | None = None
    signalled_at: Millis | None = None
    is_stopping: bool = False
    unsaved_ms: Millis = Millis(0)
    bytes: int = 0
    memory_over: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All of the world that matters to the guests here.

    Attributes:
        now: the time.
        lease: how long the daemon's silence is borne.
        until: when the allocation ends; None if nobody knows.
        notice_until: when everything must be gone because the node is wanted; None if it is not.
        dismissed: whether the daemon says that this allocation is over.
        leaving: why the agent has said that it leaves, and then it does; empty if it has not.
    """

    now: Millis
    lease: Lease
    until: Millis | None = None
    notice_until: Millis | None = None
    dismissed: bool = False
    leaving: str = ""

    @property
    def leave_reason(self) -> str:
        """Why no new guest is taken and the agent goes once it has none; empty if it stays."""
        if self.dismissed:
            return "the daemon says that this allocation is over"
        if self.notice_until is not None:
            return "preempted"
        if self.until is not None and self.now >= self.until:
            return "the allocation has ended"
        if self.now >= self.lease.freeze_at:
            return "the daemon has been silent for too long"
        return self.leaving


@dataclass(frozen=True, slots=True)
class Ask:
    """Send the guest the signal to save and leave."""

    job: JobId
    fence: Fence
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Kill the guest; the cause says whether it counts as the workload's failure."""

    job: JobId
    fence: Fence
    reason: str
    cause: Cause = "agent"


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing is left to do here."""

    reason: str


Action = Ask | Stop | Leave


def next_actions(guests: Sequence[GuestView], situation: Situation) -> list[Action]:
    """Return what to do now: first who is killed, then who is asked to save, the most unsaved work per byte first."""
    if not guests:
        return [Leave(situation.leave_reason)] if situation.leave_reason else []
    chosen = [action for guest in guests if (action := _action(guest, situation)) is not None]
    stops: list[Action] = [action for action in chosen if isinstance(action, Stop)]
    asks = {(action.job, action.fence): action for action in chosen if isinstance(action, Ask)}
    unsaved = [
        Unsaved(job=guest.job, fence=guest.fence, unsaved_ms=guest.unsaved_ms, bytes=guest.bytes)
        for guest in guests
        if (guest.job, guest.fence) in asks
    ]
    return [*stops, *(asks[guest.job, guest.fence] for guest in preemption_order(unsaved))]


def wake_at(guests: Sequence[GuestView], situation: Situation) -> Millis:
    """Return when `next_actions` may have something to say although nothing else has happened."""
    times = [situation.lease.until, situation.lease.freeze_at, *(_times(guests, situation))]
    return min((time for time in times if time > situation.now), default=situation.now)


def _times(guests: Sequence[GuestView], situation: Situation) -> Iterator[Millis]:
    for time in (situation.until, situation.notice_until):
        if time is not None:
            yield time
    for guest in guests:
        times = [guest.plan.freeze_at, guest.plan.ends_at]
        if guest.asked_at is not None:
            times.append(_gap_end(guest, situation))
        if guest.signalled_at is not None:
            times.append(Millis(guest.signalled_at + PATIENCE_MS))
        yield from (time for time in times if time is not None)


def _action(guest: GuestView, situation: Situation) -> Ask | Stop | None:
    if guest.phase is Phase.CLOSING or guest.is_stopping:
        return None
    if guest.memory_over is not None:
        return Stop(guest.job, guest.fence, f"used more memory than asked for ({guest.memory_over} bytes)", "workload")
    if reason := _why_stop(guest, situation):
        return Stop(guest.job, guest.fence, reason)
    if guest.phase is Phase.FREEZING:
        return None
    reason = _why_freeze(guest, situation)
    if not reason:
        return None
    if guest.can_freeze and guest.phase is Phase.RUNNING:
        return Ask(guest.job, guest.fence, reason)
    return Stop(guest.job, guest.fence, reason) if _is_hopeless(guest, situation) else None


def _why_stop(guest: GuestView, situation: Situation) -> str:
    """Why nothing is left but to kill the guest; empty if something is.

    Once the node is wanted, it is known how long there is to save: the gap's end was only what had been believed.
    """
    if situation.dismissed:
        return situation.leave_reason
    ends = (
        (_gap_end(guest, situation) if situation.notice_until is None else None, "the gap ended"),
        (situation.until, "the allocation ended"),
        (situation.notice_until, "the grace time ended"),
        (situation.lease.until, "the daemon was silent until the lease ran out"),
    )
    for end, reason in ends:
        if end is not None and situation.now >= end:
            return reason if guest.asked_at is None else f"{reason} before it had saved"
    if guest.signalled_at is not None and situation.now >= guest.signalled_at + PATIENCE_MS:
        return f"did not save within {PATIENCE_MS // 1000} s of being asked"
    return ""


def _gap_end(guest: GuestView, situation: Situation) -> Millis | None:
    """When the gap is over for a guest: as planned, but if that was heard too late it still has as long to save as was planned for.

    What was planned is a belief, which may move to now or before; what is certain are the allocation's end, the notice and the lease.
    """
    plan = guest.plan
    if plan.ends_at is None or plan.freeze_at is None or not guest.can_freeze:
        return plan.ends_at
    asked = situation.now if guest.asked_at is None else guest.asked_at
    return max(plan.ends_at, Millis(asked + plan.ends_at - plan.freeze_at))


def _why_freeze(guest: GuestView, situation: Situation) -> str:
    if situation.notice_until is not None:
        return "preempted"
    if guest.plan.freeze_at is not None and situation.now >= guest.plan.freeze_at:
        return "the gap ends"
    if situation.now >= situation.lease.freeze_at:
        return "the daemon is silent"
    return situation.leaving


def _is_hopeless(guest: GuestView, situation: Situation) -> bool:
    """Whether a guest that cannot save loses its work anyway, so that the node is given back at once.

    Before a known end it may still finish; a guest without a process yet has nothing to lose at all.
    """
    return guest.phase is Phase.PREPARING or situation.notice_until is not None
