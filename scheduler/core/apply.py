"""What a fact makes of the state. No decision is taken here, ever: a restart applies the journal and is where it was."""

from typing import assert_never

from idleq.ids import Millis
from idleq.scheduler.core.apply_cluster import apply_cluster
from idleq.scheduler.core.apply_entries import apply_entry
from idleq.scheduler.core.apply_jobs import apply_job
from idleq.scheduler.core.facts import (
    AgentArrived,
    AllocationAsked,
    AllocationClosing,
    AllocationEnded,
    AllocationReleased,
    AllocationStarted,
    EntryAdded,
    EntryCancelled,
    EntryHeld,
    EntryReady,
    EntryReleased,
    Fact,
    FreezeAsked,
    GapClosed,
    JobDone,
    JobFailed,
    JobHeldBack,
    JobLetGo,
    JobWithdrawn,
    KillAsked,
    MainJobHeldUp,
    NodesSeen,
    PauseSet,
    PlanMoved,
    PolicySet,
    ReleaseDelayed,
    RequestsSlowed,
    SegmentFailed,
    SegmentFrozen,
    SegmentLost,
    SegmentProgressed,
    SegmentRunning,
    SegmentStarted,
    SnapshotDropped,
    StrayFound,
    StrayGranted,
)
from idleq.scheduler.core.state import State


def advance(state: State, now: Millis) -> None:
    """It is *now*, unless it was later already: time never goes backwards."""
    state.now = max(state.now, now)


def apply(state: State, at: Millis, fact: Fact) -> None:
    """Change *state* as *fact*, which became so at *at*, says."""
    advance(state, at)
    match fact:
        case (
            SegmentStarted()
            | SegmentRunning()
            | SegmentProgressed()
            | PlanMoved()
            | FreezeAsked()
            | KillAsked()
            | SegmentFrozen()
            | SegmentLost()
            | SegmentFailed()
            | SnapshotDropped()
            | JobDone()
            | JobFailed()
            | JobHeldBack()
            | JobLetGo()
            | JobWithdrawn()
        ):
            apply_job(state, at, fact)
        case EntryAdded() | EntryReady() | EntryHeld() | EntryReleased() | EntryCancelled():
            apply_entry(state, at, fact)
        case (
            NodesSeen()
            | GapClosed()
            | MainJobHeldUp()
            | AllocationAsked()
            | AllocationStarted()
            | AgentArrived()
            | AllocationClosing()
            | AllocationReleased()
            | AllocationEnded()
            | ReleaseDelayed()
            | RequestsSlowed()
        ):
            apply_cluster(state, at, fact)
        case PolicySet():
            state.policy = fact.policy
            state.ramp = state.ramp or fact.policy.ramp_start
        case PauseSet():
            state.is_paused, state.is_emptying, state.pause_reason = fact.paused, fact.empty, fact.reason
            state.agenda.rooms.update(state.roomy)
            state.agenda.demand = True
        case StrayFound() | StrayGranted():
            pass
        case _:
            assert_never(fact)
    _count_command(state, fact)


def _count_command(state: State, fact: Fact) -> None:
    match fact:
        case (
            SegmentStarted()
            | PlanMoved()
            | FreezeAsked()
            | KillAsked()
            | StrayFound()
            | StrayGranted()
            | JobDone()
            | AllocationAsked()
            | AllocationReleased()
        ):
            state.next_command = max(state.next_command, fact.command + 1)
        case _:
            pass
