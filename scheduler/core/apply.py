"""What a fact makes of the state. No decision is taken here, ever: a restart applies the journal and is where it was."""

from collections.abc import Callable
from typing import Any, assert_never, get_args

from idleq.ids import Millis
from idleq.scheduler.core import apply_cluster
from idleq.scheduler.core.apply_entries import EntryFact, apply_entry
from idleq.scheduler.core.apply_jobs import apply_job
from idleq.scheduler.core.apply_running import apply_giving_up, apply_plan, apply_progress, apply_start, apply_wish
from idleq.scheduler.core.facts import (
    Fact,
    FreezeAsked,
    FreezeGivenUp,
    KillAsked,
    PauseSet,
    PlanMoved,
    PolicySet,
    SegmentProgressed,
    SegmentRunning,
    StrayFound,
)
from idleq.scheduler.core.lifecycle import PassageFact
from idleq.scheduler.core.sitefacts import StrayGranted
from idleq.scheduler.core.state import State

OtherFact = PolicySet | PauseSet | StrayFound | StrayGranted


def advance(state: State, now: Millis) -> None:
    """It is *now*, unless it was later already: time never goes backwards."""
    if now > state.now:  # noqa: PLR1730 - max takes three times as long, and this is asked for every fact
        state.now = now


def apply(state: State, at: Millis, fact: Fact) -> None:
    """Change *state* as *fact*, which became so at *at*, says."""
    if at > state.now:  # noqa: PLR1730 - what `advance` does, without a call
        state.now = at
    kind = type(fact)
    APPLIED_BY[kind](state, at, fact)
    if kind in COMMANDED:
        command = getattr(fact, "command")  # noqa: B009 - few kinds have one
        if command >= state.next_command:
            state.next_command = command + 1


def _apply_other(state: State, _at: Millis, fact: OtherFact) -> None:
    match fact:
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


APPLIED_BY: dict[type[Fact], Callable[[State, Millis, Any], None]] = {
    PlanMoved: apply_plan,
    SegmentProgressed: apply_progress,
    SegmentRunning: apply_start,
    FreezeAsked: apply_wish,
    FreezeGivenUp: apply_giving_up,
    KillAsked: apply_wish,
    **dict.fromkeys(get_args(PassageFact), apply_job),
    **dict.fromkeys(get_args(EntryFact), apply_entry),
    **apply_cluster.APPLIED_BY,
    **dict.fromkeys(get_args(OtherFact), _apply_other),
}
"""Who applies each kind of fact: looked up, since asking a fact kind by kind takes longer than applying it."""

COMMANDED = frozenset(kind for kind in APPLIED_BY if "command" in kind.__struct_fields__)
"""The kinds of fact that go with a new command, and name it."""
