"""Agents and their guests in simulated time: what they do takes as long as it costs, and nothing is computed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import assert_never

from simpy import Environment

from idleq.ids import AllocationId, Fence, JobId, Millis, SnapshotId
from idleq.scheduler.core.commands import AgentCommand, Freeze, Kill, Launch, Replan, SegmentPlan
from idleq.scheduler.core.freeze import Unsaved, preemption_order
from idleq.scheduler.core.inputs import (
    AgentLeaving,
    AgentReady,
    Exited,
    Frozen,
    Input,
    Launched,
    Progressed,
)
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod, JobSpec
from idleq.simulator.events import Granted
from idleq.simulator.kernel import END, Moment

KILLED = -9

LOOKED_AT_MS = Millis(1000)
"""A workload that does not say how long it runs in all makes one step of so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCosts:
    """What it costs to start, freeze and thaw guests.

    Attributes:
        agent_ms: from an allocation's begin until its agent is up.
        launch_ms: from the command until a fresh guest runs.
        thaw_ms: the same for one that goes on from a snapshot.
        freeze_ms: from the signal until the snapshot is published; guests of one agent freeze one after the other.
        save_ms: how long a guest stands still for a save in between.
        bytes: the size of a snapshot.
        unknown_run_ms: how long a job runs that does not say it.
    """

    agent_ms: Millis = Millis(0)
    launch_ms: Millis = Millis(0)
    thaw_ms: Millis = Millis(10_000)
    freeze_ms: Millis = Millis(10_000)
    save_ms: Millis = Millis(10_000)
    bytes: int = 250_000_000
    unknown_run_ms: Millis = Millis(3_600_000)


class _Phase(Enum):
    WAITING = auto()
    PREPARING = auto()
    RUNNING = auto()
    SAVING = auto()
    FREEZING = auto()


@dataclass(slots=True, eq=False)
class _Guest:
    """A segment; *plans* counts up whenever what was planned for it no longer holds."""

    launch: Launch
    plan: SegmentPlan
    done_ms: Millis
    saved_ms: Millis
    phase: _Phase = _Phase.WAITING
    since: Millis = Millis(0)
    saves: int = 0
    plans: int = 0

    @property
    def spec(self) -> JobSpec:
        return self.launch.spec

    @property
    def can_freeze(self) -> bool:
        return self.spec.freeze is not FreezeMethod.NONE


@dataclass(slots=True, eq=False)
class _Agent:
    grant: Granted
    is_up: bool = False
    leave_reason: str = ""
    free_from: Millis = Millis(0)
    guests: dict[tuple[JobId, Fence], _Guest] = field(default_factory=dict)
    seen: set[tuple[JobId, Fence]] = field(default_factory=set)

    @property
    def room(self) -> Resources:
        """What no guest holds; those that wait hold nothing."""
        held = (guest.spec.resources for guest in self.guests.values() if guest.phase is not _Phase.WAITING)
        return self.grant.resources - sum(held, NOTHING)


class SimulatedAgents:
    """One agent per granted allocation; implements the port that carries commands to agents.

    *tell* hears their reports; *leave* is called when an agent has left, with nothing running any more. Times inside are the
    world's; reports and plans are in engine time, which is *epoch* at the world's start.
    """

    def __init__(
        self,
        env: Environment,
        costs: GuestCosts,
        tell: Callable[[Input], None],
        leave: Callable[[AllocationId], None],
        epoch: Millis = Millis(0),
    ) -> None:
        self._env, self._costs, self._tell, self._leave, self._epoch = env, costs, tell, leave, epoch
        self._agents: dict[AllocationId, _Agent] = {}

    # What the world does.

    def granted(self, grant: Granted) -> None:
        """An allocation begins: its agent comes up."""
        agent = self._agents[grant.allocation] = _Agent(grant)
        self._after(self._costs.agent_ms, lambda: self._come_up(agent))

    def preempting(self, allocation: AllocationId, reason: str) -> None:
        """Its agent freezes what it can, the most unsaved work per byte first, and leaves."""
        agent = self._agents.get(allocation)
        if agent is None or agent.leave_reason:
            return
        agent.leave_reason = reason
        if agent.is_up:
            self._tell(AgentLeaving(allocation=allocation, reason=reason))
        hurried = [
            Unsaved(job=job, fence=fence, unsaved_ms=self._unsaved(guest), bytes=self._costs.bytes)
            for (job, fence), guest in agent.guests.items()
        ]
        for unsaved in preemption_order(hurried):
            self._stop(agent, agent.guests[unsaved.job, unsaved.fence], "preempted")
        self._leave_if_empty(agent)

    def ended(self, allocation: AllocationId) -> None:
        """The allocation is over: what ran there is gone."""
        agent = self._agents.pop(allocation, None)
        if agent is not None:
            for guest in agent.guests.values():
                guest.plans += 1
            agent.guests.clear()

    # What the engine commands.

    def send(self, command: AgentCommand) -> None:
        """Carry out *command* at once; one for an agent that has gone is lost with it."""
        agent = self._agents.get(command.allocation)
        if agent is None:
            return
        match command:
            case Launch():
                self._launch(agent, command)
            case Replan():
                if (guest := agent.guests.get((command.job, command.fence))) is not None:
                    guest.plan = command.plan
                    self._plan(agent, guest)
            case Freeze() | Kill():
                self._end_on_command(agent, command)
            case _:
                assert_never(command)

    def forget(self, allocation: AllocationId) -> None:
        """Nothing: commands are carried out when they are sent."""

    def _end_on_command(self, agent: _Agent, command: Freeze | Kill) -> None:
        guest = agent.guests.get((command.job, command.fence))
        if guest is None:
            self._tell(self._exited(command.job, command.fence, "unknown segment"))
        elif isinstance(command, Kill):
            self._lose(agent, guest, command.reason)
        else:
            self._stop(agent, guest, command.reason)

    def _come_up(self, agent: _Agent) -> None:
        grant = agent.grant
        if self._agents.get(grant.allocation) is agent and not agent.leave_reason:
            agent.is_up = True
            until = Millis(grant.until + self._epoch)
            self._tell(AgentReady(allocation=grant.allocation, node=grant.node, resources=grant.resources, until=until))

    # A guest's life.

    def _launch(self, agent: _Agent, command: Launch) -> None:
        key = command.job, command.fence
        if key in agent.seen:
            return
        agent.seen.add(key)
        thawed = command.thaw_from
        done = Millis(0) if thawed is None else thawed.run_ms
        guest = agent.guests[key] = _Guest(command, command.plan, done_ms=done, saved_ms=done)
        if agent.leave_reason:
            self._stop(agent, guest, agent.leave_reason)
        else:
            self._seat(agent)

    def _seat(self, agent: _Agent) -> None:
        """Begin those that wait, in the order in which they came, as far as there is room."""
        for guest in list(agent.guests.values()):
            if guest.phase is not _Phase.WAITING:
                continue
            if not guest.spec.resources.fits_in(agent.room):
                return
            guest.phase = _Phase.PREPARING
            is_thaw = guest.launch.thaw_from is not None
            takes = self._costs.thaw_ms if is_thaw else self._costs.launch_ms
            thaw_ms = takes if is_thaw else Millis(0)
            self._later(guest, takes, partial(self._run, agent, guest, thaw_ms))

    def _run(self, agent: _Agent, guest: _Guest, thaw_ms: Millis) -> None:
        guest.phase, guest.since = _Phase.RUNNING, self._now()
        launch = guest.launch
        self._tell(Launched(job=launch.job, fence=launch.fence, at=self._engine_now(), thaw_ms=thaw_ms))
        self._plan(agent, guest)

    def _plan(self, agent: _Agent, guest: _Guest) -> None:
        """Plan the next thing that *guest* does by itself."""
        if guest.phase is not _Phase.RUNNING:
            return
        total = guest.spec.expected_ms or self._costs.unknown_run_ms
        self._settle(guest)
        guest.plans += 1
        self._later(guest, Millis(max(0, total - guest.done_ms)), lambda: self._finish(agent, guest))
        plan = guest.plan
        if guest.can_freeze:
            if plan.freeze_at is not None:
                self._later(guest, self._until(plan.freeze_at), lambda: self._stop(agent, guest, "the gap ends"))
            if plan.save_every_ms is not None:
                since_save = Millis(guest.done_ms - guest.saved_ms)
                wait = Millis(max(0, plan.save_every_ms - since_save))
                self._later(guest, wait, lambda: self._save(agent, guest))
        elif plan.ends_at is not None:
            self._later(guest, self._until(plan.ends_at), lambda: self._lose(agent, guest, "the gap ends"))

    def _finish(self, agent: _Agent, guest: _Guest) -> None:
        job, fence = guest.launch.job, guest.launch.fence
        self._drop(agent, guest)
        self._tell(
            Exited(job=job, fence=fence, code=0, at=self._engine_now(), cause="workload", digest=f"{job}.{fence}")
        )
        self._leave_if_empty(agent)

    def _save(self, agent: _Agent, guest: _Guest) -> None:
        self._settle(guest)
        guest.phase = _Phase.SAVING
        guest.plans += 1
        self._later(guest, self._costs.save_ms, lambda: self._saved(agent, guest))

    def _saved(self, agent: _Agent, guest: _Guest) -> None:
        guest.phase, guest.since = _Phase.RUNNING, self._now()
        guest.saves += 1
        guest.saved_ms = guest.done_ms
        total = guest.spec.expected_ms
        self._tell(
            Progressed(
                job=guest.launch.job,
                fence=guest.launch.fence,
                step=guest.done_ms // LOOKED_AT_MS,
                total=None if total is None else total // LOOKED_AT_MS,
                saved=self._snapshot(guest),
                save_ms=self._costs.save_ms,
            )
        )
        if guest.phase is _Phase.RUNNING:
            self._plan(agent, guest)

    def _stop(self, agent: _Agent, guest: _Guest, reason: str) -> None:
        """Freeze *guest*, or end it where there is nothing to freeze."""
        if guest.phase is _Phase.FREEZING:
            return
        if guest.phase in (_Phase.WAITING, _Phase.PREPARING) or not guest.can_freeze:
            self._lose(agent, guest, reason)
            return
        self._settle(guest)
        guest.phase = _Phase.FREEZING
        guest.plans += 1
        begin = self._now()
        # Guests of one agent share its way to the file system.
        agent.free_from = Millis(max(agent.free_from, begin) + self._costs.freeze_ms)
        takes = Millis(agent.free_from - begin)
        self._later(guest, takes, lambda: self._frozen(agent, guest, takes, reason))

    def _frozen(self, agent: _Agent, guest: _Guest, took: Millis, reason: str) -> None:
        guest.saves += 1
        self._drop(agent, guest)
        self._tell(
            Frozen(
                job=guest.launch.job,
                fence=guest.launch.fence,
                snapshot=self._snapshot(guest),
                at=self._engine_now(),
                freeze_ms=took,
                reason=reason,
            )
        )
        self._leave_if_empty(agent)

    def _lose(self, agent: _Agent, guest: _Guest, reason: str) -> None:
        self._drop(agent, guest)
        self._tell(self._exited(guest.launch.job, guest.launch.fence, reason))
        self._leave_if_empty(agent)

    def _drop(self, agent: _Agent, guest: _Guest) -> None:
        guest.plans += 1
        del agent.guests[guest.launch.job, guest.launch.fence]
        if not agent.leave_reason:
            self._seat(agent)

    def _leave_if_empty(self, agent: _Agent) -> None:
        allocation = agent.grant.allocation
        if agent.leave_reason and not agent.guests and self._agents.get(allocation) is agent:
            del self._agents[allocation]
            self._leave(allocation)

    # Reckoning.

    def _settle(self, guest: _Guest) -> None:
        """Count the work that *guest* has done since it was last counted."""
        if guest.phase is _Phase.RUNNING:
            guest.done_ms = Millis(guest.done_ms + self._now() - guest.since)
            guest.since = self._now()

    def _unsaved(self, guest: _Guest) -> Millis:
        self._settle(guest)
        return Millis(guest.done_ms - guest.saved_ms)

    def _snapshot(self, guest: _Guest) -> Snapshot:
        job, fence = guest.launch.job, guest.launch.fence
        name = SnapshotId(f"{job}.{fence}.{guest.saves}")
        return Snapshot(
            id=name,
            fence=fence,
            digest=name,
            bytes=self._costs.bytes,
            taken_at=self._engine_now(),
            run_ms=guest.done_ms,
        )

    def _exited(self, job: JobId, fence: Fence, reason: str) -> Exited:
        return Exited(job=job, fence=fence, code=KILLED, at=self._engine_now(), cause="agent", reason=reason)

    def _until(self, at: Millis) -> Millis:
        return Millis(max(0, at - self._engine_now()))

    def _later(self, guest: _Guest, delay: Millis, act: Callable[[], None]) -> None:
        """Do *act* after *delay* unless something else was planned for *guest* meanwhile."""
        planned = guest.plans

        def act_if_still_planned() -> None:
            if guest.plans == planned:
                act()

        self._after(delay, act_if_still_planned)

    def _after(self, delay: Millis, act: Callable[[], None]) -> None:
        Moment(self._env, delay, END, lambda _: act())

    def _now(self) -> Millis:
        return Millis(int(self._env.now))

    def _engine_now(self) -> Millis:
        return Millis(self._now() + self._epoch)
