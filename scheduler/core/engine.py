"""The engine: events in, commands out. Three worlds run this one: the daemon, the embedded cluster and the simulator."""

from collections.abc import Callable, Iterable
from typing import Any, Self

from msgspec import Struct

from idleq.ids import EntryId, Millis
from idleq.scheduler.core.accept_agents import (
    end_exited,
    end_frozen,
    greet,
    part,
    progress,
    reject_snapshot,
    start_running,
)
from idleq.scheduler.core.accept_changes import change_wished
from idleq.scheduler.core.accept_cluster import (
    expire,
    fail_command,
    grant,
    lose_allocation,
    lose_node,
    note_main_job,
    reconcile,
    see,
)
from idleq.scheduler.core.accept_people import cancel, hold, pause, release, resume, submit
from idleq.scheduler.core.accept_snapshots import remove
from idleq.scheduler.core.accept_wishes import freeze_wished, move_wished
from idleq.scheduler.core.apply import advance, apply
from idleq.scheduler.core.ask import ask, give_back_idle
from idleq.scheduler.core.bind import bind, replan
from idleq.scheduler.core.commands import Command
from idleq.scheduler.core.draft import Draft, Refusal
from idleq.scheduler.core.facts import Fact, PolicySet
from idleq.scheduler.core.inputs import (
    AgentLeaving,
    AgentReady,
    AllocationGranted,
    AllocationLost,
    CommandFailed,
    Exited,
    Frozen,
    Input,
    JobCancelled,
    JobHeld,
    JobReleased,
    JobsSubmitted,
    Launched,
    LeaseExpired,
    MainJobStarted,
    NodeLost,
    Paused,
    Progressed,
    Reconciled,
    Resumed,
    SnapshotRejected,
    SnapshotRemoved,
    Tick,
    ViewChanged,
)
from idleq.scheduler.core.moves import ease
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.settle import next_alarm, ring, settle
from idleq.scheduler.core.staggering import stagger
from idleq.scheduler.core.state import State
from idleq.scheduler.core.vain import give_back_vain
from idleq.scheduler.core.wishes import ChangeWished, FreezeWished, MoveWished


class Decision(Struct, frozen=True, gc=False):
    """What one input led to.

    Attributes:
        at: the turn's time.
        facts: what is so now; the state has them already.
        commands: what the world shall do, once the facts are in the journal.
        refusal: why the input was not accepted, None if it was.
        entries: what a submission made, in its order.
    """

    at: Millis
    facts: tuple[Fact, ...]
    commands: tuple[Command, ...]
    refusal: Refusal | None
    entries: tuple[EntryId, ...]


class Engine:
    """One state and the only way to change it.

    If a call raises, the state is not to be trusted any more: build a new engine from the journal.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.state = State(policy=policy or Policy(), ramp=policy.ramp_start if policy else 0)

    @classmethod
    def restore(cls, facts: Iterable[tuple[Millis, Fact]]) -> Self:
        """Return the engine that has come so far; nothing is decided."""
        engine = cls()
        for at, fact in facts:
            apply(engine.state, at, fact)
        engine.state.agenda.clear()
        return engine

    def configure(self, policy: Policy, now: Millis) -> Decision:
        """Decide by *policy* from now on."""
        draft = Draft(self.state, max(now, self.state.now))
        if policy != self.state.policy or not self.state.now:
            draft.record(PolicySet(policy=policy))
        return self._close(draft)

    def handle(self, what: Input, now: Millis) -> Decision:
        """Take in what happened and decide what follows; a *now* before the last one counts as the last one."""
        state = self.state
        advance(state, now)
        draft = Draft(state, state.now)
        ACCEPTED_BY[type(what)](draft, what)
        if draft.refusal is None:
            _go_on(draft)
        return self._close(draft)

    def wake_at(self) -> Millis | None:
        """Return when a Tick is wanted, None if there is nothing to wait for."""
        return next_alarm(self.state)

    def _close(self, draft: Draft) -> Decision:
        self.state.agenda.clear()
        return Decision(draft.now, tuple(draft.facts), tuple(draft.commands), draft.refusal, draft.entries)


def _go_on(draft: Draft) -> None:
    """Decide what follows; most inputs give reason for little of it."""
    state, agenda = draft.state, draft.state.agenda
    due = ring(draft) if state.alarms and state.alarms[0][0] <= draft.now else []
    if agenda.finished:
        settle(draft)
    if state.moving:
        ease(draft)
    if agenda.rooms or agenda.grown:
        bind(draft)
    if due or agenda.moved or agenda.demand:
        give_back_vain(draft, due)
    if agenda.demand:
        ask(draft)
    if agenda.moved:
        stagger(draft, agenda.moved)
        replan(draft)
    if due or state.is_paused:
        give_back_idle(draft, due)


def _take_note(_draft: Draft, _what: Tick) -> None:
    """Nothing: what is due is looked for at every input."""


ACCEPTED_BY: dict[type[Input], Callable[[Draft, Any], None]] = {
    JobsSubmitted: submit,
    JobCancelled: cancel,
    JobHeld: hold,
    JobReleased: release,
    FreezeWished: freeze_wished,
    MoveWished: move_wished,
    ChangeWished: change_wished,
    Paused: pause,
    Resumed: resume,
    SnapshotRemoved: remove,
    ViewChanged: see,
    NodeLost: lose_node,
    MainJobStarted: note_main_job,
    AllocationGranted: grant,
    AllocationLost: lose_allocation,
    LeaseExpired: expire,
    CommandFailed: fail_command,
    Reconciled: reconcile,
    AgentReady: greet,
    AgentLeaving: part,
    Launched: start_running,
    Progressed: progress,
    Frozen: end_frozen,
    Exited: end_exited,
    SnapshotRejected: reject_snapshot,
    Tick: _take_note,
}
"""Who takes in each kind of input."""
