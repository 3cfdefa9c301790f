"""Does what a turn has decided, once the turn is in the journal."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple, assert_never

from structlog.typing import FilteringBoundLogger

from idleq.ids import AllocationId, Fence, JobId, entry_of
from idleq.scheduler.core.commands import (
    AgentCommand,
    Command,
    Freeze,
    Kill,
    Launch,
    Publish,
    ReleaseAllocation,
    Replan,
    RequestAllocation,
)
from idleq.scheduler.core.facts import (
    EntryCancelled,
    Fact,
    JobDone,
    JobFailed,
    JobWithdrawn,
)
from idleq.scheduler.core.job import Done, Job
from idleq.scheduler.core.sitefacts import (
    AgentArrived,
    AllocationAsked,
    AllocationEnded,
    AllocationFailed,
    AllocationStarted,
)
from idleq.scheduler.core.state import Hold, State
from idleq.scheduler.intake import Intake
from idleq.scheduler.leases import Leases
from idleq.scheduler.owed import owed_commands
from idleq.scheduler.ports import Agents, Results

NOT_STARTED = frozenset({Hold.ASKED})
NOT_ARRIVED = NOT_STARTED | {Hold.GRANTED}
"""In every other hold an agent may have been heard, so what its file says it hosts may be old."""


def allocation_topic(allocation: AllocationId) -> str:
    """Return what is rung when there is a command for the agent of *allocation*."""
    return f"allocation/{allocation}"


def entry_topic(job: JobId) -> str:
    """Return what is rung when a job of the same entry as *job* is over."""
    return f"entry/{entry_of(job)}"


class _Undone(NamedTuple):
    """What is left to do, and for whose agent it is."""

    action: Callable[[], None]
    allocation: AllocationId | None


class Hands:
    """Everything outside the journal that a turn changes; each of these can be done again.

    *forget* is told each allocation that is over, for whoever else remembers it.
    """

    def __init__(
        self,
        *,
        order: Callable[[RequestAllocation | ReleaseAllocation], None],
        agents: Agents,
        results: Results,
        leases: Leases,
        intake: Intake,
        ring: Callable[[Iterable[str]], None],
        forget: Callable[[AllocationId], None],
        log: FilteringBoundLogger,
    ) -> None:
        self._order, self._agents, self._results, self._log = order, agents, results, log
        self._leases, self._intake, self._ring, self._forget = leases, intake, ring, forget
        self._undone: dict[str, _Undone] = {}

    @property
    def has_undone(self) -> bool:
        """Whether something could not be done yet."""
        return bool(self._undone)

    def restart(self, state: State, jobs: Iterable[Job]) -> None:
        """The engine was made anew from the journal: see that all around it and its *jobs* fits, and finish what was cut short."""
        self._undone.clear()
        allocations = state.allocations.values()
        started = [one.id for one in allocations if one.hold not in NOT_STARTED]
        self._leases.replace(started, (one.id for one in allocations if one.id not in started))
        for one in allocations:
            if one.has_failed:
                self._leases.let_end(one.id)
        self._intake.restart(one.id for one in allocations if one.hold not in NOT_ARRIVED)
        for job in jobs:
            if isinstance(job.state, Done):
                self._publish(job.id, job.state.fence)
        for command in owed_commands(state):
            self._send(command)

    def follow(self, facts: Iterable[Fact], commands: Iterable[Command]) -> None:
        """Carry out *commands*, and keep leases and waiting requests in step with *facts*."""
        topics: dict[str, None] = {}
        for fact in facts:
            self._note(fact, topics)
        for command in commands:
            self._carry_out(command, topics)
        self._ring(topics)

    def try_again(self) -> None:
        """Do what could not be done."""
        undone, self._undone = self._undone, {}
        for name, left in undone.items():
            self._do(name, left.action, left.allocation)

    def _note(self, fact: Fact, topics: dict[str, None]) -> None:
        match fact:
            case AllocationAsked():
                self._leases.add(fact.allocation)
            case AllocationStarted() | AgentArrived():
                self._leases.renew(fact.allocation)
            case AllocationFailed():
                self._leases.let_end(fact.allocation)
            case AllocationEnded():
                self._leases.remove(fact.allocation)
                # What could not be sent to its agent would make its folder anew.
                self._undone = {name: left for name, left in self._undone.items() if left.allocation != fact.allocation}
                self._do(f"forget {fact.allocation}", partial(self._agents.forget, fact.allocation))
                self._intake.forget(fact.allocation)
                self._forget(fact.allocation)
                topics[allocation_topic(fact.allocation)] = None
            case JobDone() | JobFailed() | JobWithdrawn():
                topics[entry_topic(fact.job)] = None
            case EntryCancelled():
                topics[entry_topic(JobId(str(fact.entry)))] = None
            case _:
                pass

    def _carry_out(self, command: Command, topics: dict[str, None]) -> None:
        match command:
            case RequestAllocation() | ReleaseAllocation():
                self._order(command)
            case Launch() | Replan() | Freeze() | Kill():
                self._send(command)
                topics[allocation_topic(command.allocation)] = None
            case Publish():
                self._publish(command.job, command.fence)
            case _:
                assert_never(command)

    def _publish(self, job: JobId, fence: Fence) -> None:
        self._do(f"publish {job}", partial(self._results.publish, job, fence))

    def _send(self, command: AgentCommand) -> None:
        self._do(f"send {command.id}", partial(self._agents.send, command), command.allocation)

    def _do(self, name: str, action: Callable[[], None], allocation: AllocationId | None = None) -> None:
        """Do it, now or, where the disk does not let us, later."""
        try:
            action()
        except OSError as error:
            self._undone[name] = _Undone(action, allocation)
            self._log.warning("daemon.action_failed", action=name, reason=str(error))
