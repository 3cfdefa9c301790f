"""Agents and their guests in simulated time: what they do takes as long as it costs, and nothing is computed."""

import random
from collections.abc import Callable
from functools import partial
from typing import TypeVarTuple, assert_never

from simpy import Environment
from simpy.events import Event

from idleq.ids import AllocationId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.commands import AgentCommand, Freeze, Kill, Launch, Replan
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
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import JobSpec
from idleq.simulator.costs import GuestCosts
from idleq.simulator.events import Granted
from idleq.simulator.hosting import HostedAgent, HostedGuest, Phase, saves_behind
from idleq.simulator.kernel import END, Moment, now_of
from idleq.simulator.pipe import Pipe
from idleq.simulator.work import Work

__all__ = ["GuestCosts", "SimulatedAgents", "saves_behind"]

KILLED = -9

LOOKED_AT_MS = Millis(1000)
"""A workload that does not say how long it runs in all makes one step of so long."""

GAP_ENDS = ("the gap ends",)

Told = TypeVarTuple("Told")


class SimulatedAgents:
    """One agent per granted allocation; implements the port that carries commands to agents.

    *tell* hears their reports; *leave* is called when an agent has left, with nothing running any more. Times inside are the
    world's; reports and plans are in engine time, which is *epoch* at the world's start. With *tells_saves* false they keep
    most saves to themselves: they tell of one whenever a segment is twice as old as at the last, and at its loss. A guest that
    saves every minute for a year is then little more work than one that never does.
    """

    def __init__(
        self,
        env: Environment,
        costs: GuestCosts,
        tell: Callable[[Input], None],
        leave: Callable[[AllocationId], None],
        epoch: Millis = Millis(0),
        *,
        tells_saves: bool = True,
    ) -> None:
        self._env, self._costs, self._tell, self._leave, self._epoch = env, costs, tell, leave, epoch
        self._tells_saves = tells_saves
        self._draw = random.Random(f"{costs.failing_seed or 0}/freezes")
        self._agents: dict[AllocationId, HostedAgent] = {}
        self._pipe = None if costs.bandwidth is None else Pipe(env, costs.bandwidth)
        self._images: set[tuple[NodeName, str]] = set()

    # What the world does.

    def granted(self, grant: Granted) -> None:
        """An allocation begins: its agent comes up."""
        agent = self._agents[grant.allocation] = HostedAgent(grant)
        Moment(self._env, self._costs.agent_ms, END, partial(self._come_up, agent))

    def preempting(self, allocation: AllocationId, reason: str) -> None:
        """Its agent freezes what it can, the most unsaved work per byte first, and leaves."""
        agent = self._agents.get(allocation)
        if agent is None or agent.leave_reason:
            return
        agent.leave_reason = reason
        if agent.is_up:
            self._tell(AgentLeaving(allocation=allocation, reason=reason))
        hurried = [
            Unsaved(job=job, fence=fence, unsaved_ms=self._unsaved(guest), bytes=self._costs.size_of(guest.spec))
            for (job, fence), guest in agent.guests.items()
        ]
        for unsaved in preemption_order(hurried):
            self._stop(agent, agent.guests[unsaved.job, unsaved.fence], "preempted")
        self._leave_if_empty(agent)

    def ended(self, allocation: AllocationId) -> None:
        """The allocation is over: what ran there is gone, but for what it had saved."""
        agent = self._agents.pop(allocation, None)
        if agent is not None:
            for guest in agent.guests.values():
                self._tell_last_save(guest)
                guest.plans += 1
            agent.guests.clear()

    def take_stock(self, grace_ms: Millis) -> None:
        """Tell of all saves that were kept back, and of what a preemption with that grace would save just now.

        A guest that need not save, as its freeze fits into the grace, has lost nothing because the simulation ends.
        """
        for agent in self._agents.values():
            for guest in agent.guests.values():
                if agent.may_rely_on(grace_ms, guest, self._costs, together=len(self._agents)):
                    self._settle(guest)
                    guest.work = Work(guest.work.done_ms, guest.work.done_ms, guest.work.saves + 1)
                    self._tell_save(guest, None)
                else:
                    self._tell_last_save(guest)

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
                    self._settle(guest)
                    guest.plan = command.plan
                    self._plan(agent, guest)
            case Freeze() | Kill():
                self._end_on_command(agent, command)
            case _:
                assert_never(command)

    def forget(self, allocation: AllocationId) -> None:
        """Nothing: commands are carried out when they are sent."""

    def _end_on_command(self, agent: HostedAgent, command: Freeze | Kill) -> None:
        guest = agent.guests.get((command.job, command.fence))
        if guest is None:
            self._tell(self._exited(command.job, command.fence, "unknown segment"))
        elif isinstance(command, Kill):
            self._lose(agent, guest, command.reason)
        else:
            self._stop(agent, guest, command.reason)

    def _come_up(self, agent: HostedAgent, _: Event) -> None:
        grant = agent.grant
        if self._agents.get(grant.allocation) is agent and not agent.leave_reason:
            agent.is_up = True
            until = Millis(grant.until + self._epoch)
            self._tell(AgentReady(allocation=grant.allocation, node=grant.node, resources=grant.resources, until=until))

    # A guest's life.

    def _launch(self, agent: HostedAgent, command: Launch) -> None:
        key = command.job, command.fence
        if key in agent.seen:
            return
        agent.seen.add(key)
        thawed = command.thaw_from
        done = Millis(0) if thawed is None else thawed.run_ms
        guest = agent.guests[key] = HostedGuest(
            command, command.plan, Work(done, done), self._costs.save_of(command.spec), self._costs.run_of(command.spec)
        )
        if agent.leave_reason:
            self._stop(agent, guest, agent.leave_reason)
        else:
            self._seat(agent)

    def _seat(self, agent: HostedAgent) -> None:
        """Begin those that wait, in the order in which they came, as far as there is room."""
        for guest in list(agent.guests.values()):
            if guest.phase is not Phase.WAITING:
                continue
            if not guest.spec.resources.fits_in(agent.room):
                return
            guest.phase = Phase.PREPARING
            is_thaw = guest.launch.thaw_from is not None
            takes = self._costs.thaw_of(guest.spec) if is_thaw else self._costs.launch_ms
            thaw_ms = takes if is_thaw else Millis(0)
            pull_ms = self._pull_ms(agent.grant.node, guest.spec)
            self._later(guest, Millis(pull_ms + takes), self._run, agent, guest, thaw_ms)

    def _pull_ms(self, node: NodeName, spec: JobSpec) -> Millis:
        """Return how long the image takes to arrive; it stays on the node from then on."""
        image = node, spec.name
        if not self._costs.image_ms or image in self._images:
            return Millis(0)
        self._images.add(image)
        return self._costs.image_ms

    def _run(self, agent: HostedAgent, guest: HostedGuest, thaw_ms: Millis) -> None:
        guest.phase, guest.since = Phase.RUNNING, now_of(self._env)
        guest.up_since = guest.since
        launch = guest.launch
        self._tell(Launched(job=launch.job, fence=launch.fence, at=self._engine_now(), thaw_ms=thaw_ms))
        self._plan(agent, guest)

    def _plan(self, agent: HostedAgent, guest: HostedGuest) -> None:
        """Plan the next thing that *guest*, whose work is settled, does by itself."""
        if guest.phase is not Phase.RUNNING:
            return
        guest.plans += 1
        left = Millis(max(0, guest.run_ms - guest.work.done_ms))
        now = self._engine_now()
        # Whatever comes first plans anew: the others need no moment of their own.
        act: Callable[..., None] = self._finish
        why: tuple[str, ...] = ()
        first, plan = self._time_for(guest, left), guest.plan
        if guest.can_freeze:
            if plan.freeze_at is not None and (until := max(0, plan.freeze_at - now)) < first:
                first, act, why = Millis(until), self._stop, GAP_ENDS
            if plan.save_every_ms is not None and (wait := self._until_next_save(guest, plan.save_every_ms)) < first:
                first, act, why = wait, self._save if self._tells_saves else self._tell_and_go_on, ()
        elif plan.ends_at is not None and (until := max(0, plan.ends_at - now)) < first:
            first, act, why = Millis(until), self._lose, GAP_ENDS
        self._later(guest, first, act, agent, guest, *why)

    def _until_next_save(self, guest: HostedGuest, every_ms: Millis) -> Millis:
        """Return when its next save begins, or, where few are told, is over that is worth telling."""
        if not self._tells_saves:
            return self._until_worth_telling(guest, every_ms)
        return Millis(max(0, every_ms - (guest.work.done_ms - guest.work.saved_ms)))

    def _finish(self, agent: HostedAgent, guest: HostedGuest) -> None:
        job, fence = guest.launch.job, guest.launch.fence
        self._drop(agent, guest)
        self._tell(
            Exited(job=job, fence=fence, code=0, at=self._engine_now(), cause="workload", digest=f"{job}.{fence}")
        )
        self._leave_if_empty(agent)

    def _save(self, agent: HostedAgent, guest: HostedGuest) -> None:
        self._settle(guest)
        guest.phase = Phase.SAVING
        guest.plans += 1
        self._later(guest, guest.save_ms, self._saved, agent, guest)

    def _saved(self, agent: HostedAgent, guest: HostedGuest) -> None:
        guest.phase, guest.since = Phase.RUNNING, now_of(self._env)
        done = guest.work.done_ms
        guest.work = Work(done, done, guest.work.saves + 1)
        if self._tells_saves:
            self._tell_last_save(guest)
        if guest.phase is Phase.RUNNING:
            self._plan(agent, guest)

    def _until_worth_telling(self, guest: HostedGuest, every_ms: Millis) -> Millis:
        """Return how long it takes until a save is over and the segment is twice as old as now."""
        save_ms = guest.save_ms
        first = guest.work.time_to_save(every_ms, save_ms)
        missing = max(0, now_of(self._env) - guest.up_since - first)
        return Millis(first + -(-missing // (every_ms + save_ms)) * (every_ms + save_ms))

    def _tell_and_go_on(self, agent: HostedAgent, guest: HostedGuest) -> None:
        self._tell_last_save(guest)
        self._plan(agent, guest)

    def _tell_last_save(self, guest: HostedGuest) -> None:
        self._settle(guest)
        self._tell_save(guest, guest.save_ms)

    def _tell_save(self, guest: HostedGuest, took_ms: Millis | None) -> None:
        saved, saves = guest.work.saved_ms, guest.work.saves
        if saves == guest.told_saves:
            return
        guest.told_saves = saves
        total = guest.spec.expected_ms
        self._tell(
            Progressed(
                job=guest.launch.job,
                fence=guest.launch.fence,
                step=saved // LOOKED_AT_MS,
                total=None if total is None else total // LOOKED_AT_MS,
                saved=self._snapshot(guest, saved, saves),
                save_ms=took_ms,
            )
        )

    def _stop(self, agent: HostedAgent, guest: HostedGuest, reason: str) -> None:
        """Freeze *guest*, or end it where there is nothing to freeze."""
        if guest.phase is Phase.FREEZING:
            return
        if guest.phase in (Phase.WAITING, Phase.PREPARING) or not guest.can_freeze:
            self._lose(agent, guest, reason)
            return
        self._settle(guest)
        if guest.is_saving:
            self._end_save_and_stop(agent, guest, reason)
            return
        guest.phase = Phase.FREEZING
        guest.plans += 1
        begin = now_of(self._env)
        # Guests of one agent share its way to the file system, and nothing else: they stop side by side.
        is_stopped = begin + self._costs.freeze_ms
        agent.free_from = Millis(max(agent.free_from, is_stopped) + self._costs.writing_of(guest.spec))
        self._later(guest, Millis(agent.free_from - begin), self._write_out, agent, guest, begin, reason)

    def _end_save_and_stop(self, agent: HostedAgent, guest: HostedGuest, reason: str) -> None:
        """A workload that is told to leave in the middle of a save ends that first: if no time is left for more, it has this."""
        left = guest.save_left_ms(now_of(self._env))
        guest.phase, guest.since = Phase.SAVING, Millis(now_of(self._env) + left - guest.save_ms)
        guest.plans += 1

        def saved() -> None:
            self._saved(agent, guest)
            self._stop(agent, guest, reason)

        self._later(guest, left, saved)

    def _write_out(self, agent: HostedAgent, guest: HostedGuest, begin: Millis, reason: str) -> None:
        """Bring the snapshot to the file system, beside all others that are on their way there."""
        if self._pipe is None:
            self._frozen(agent, guest, begin, reason)
            return
        planned = guest.plans

        def arrived() -> None:
            if guest.plans == planned:
                self._frozen(agent, guest, begin, reason)

        self._pipe.carry(self._costs.size_of(guest.spec), arrived)

    def _frozen(self, agent: HostedAgent, guest: HostedGuest, begin: Millis, reason: str) -> None:
        if self._costs.freeze_fails and self._draw.random() < self._costs.freeze_fails:
            self._lose(agent, guest, f"its freeze failed ({reason})")
            return
        self._drop(agent, guest)
        self._tell(
            Frozen(
                job=guest.launch.job,
                fence=guest.launch.fence,
                snapshot=self._snapshot(guest, guest.work.done_ms, guest.work.saves + 1),
                at=self._engine_now(),
                freeze_ms=Millis(now_of(self._env) - begin),
                reason=reason,
            )
        )
        self._leave_if_empty(agent)

    def _lose(self, agent: HostedAgent, guest: HostedGuest, reason: str) -> None:
        self._tell_last_save(guest)
        self._drop(agent, guest)
        self._tell(self._exited(guest.launch.job, guest.launch.fence, reason))
        self._leave_if_empty(agent)

    def _drop(self, agent: HostedAgent, guest: HostedGuest) -> None:
        guest.plans += 1
        del agent.guests[guest.launch.job, guest.launch.fence]
        if not agent.leave_reason:
            self._seat(agent)

    def _leave_if_empty(self, agent: HostedAgent) -> None:
        allocation = agent.grant.allocation
        if agent.leave_reason and not agent.guests and self._agents.get(allocation) is agent:
            del self._agents[allocation]
            self._leave(allocation)

    # Reckoning.

    def _settle(self, guest: HostedGuest) -> None:
        """Count the work that *guest* has done since it was last counted."""
        if guest.phase is Phase.RUNNING and (now := now_of(self._env)) != guest.since:
            every = None if self._tells_saves else guest.save_every_ms
            guest.work = guest.work.after(Millis(now - guest.since), every, guest.save_ms)
            guest.since = now

    def _time_for(self, guest: HostedGuest, work_ms: Millis) -> Millis:
        every = None if self._tells_saves else guest.save_every_ms
        return guest.work.time_for(work_ms, every, guest.save_ms)

    def _unsaved(self, guest: HostedGuest) -> Millis:
        self._settle(guest)
        return Millis(guest.work.done_ms - guest.work.saved_ms)

    def _snapshot(self, guest: HostedGuest, run_ms: Millis, number: int) -> Snapshot:
        return guest.snapshot(run_ms, number, self._costs.size_of(guest.spec), self._engine_now())

    def _exited(self, job: JobId, fence: Fence, reason: str) -> Exited:
        return Exited(job=job, fence=fence, code=KILLED, at=self._engine_now(), cause="agent", reason=reason)

    def _later(self, guest: HostedGuest, delay: Millis, act: Callable[[*Told], None], *told: *Told) -> None:
        """Do *act*, which is *told* so much, after *delay* unless something else was planned for *guest* meanwhile."""
        planned = guest.plans

        def act_if_still_planned(_: Event) -> None:
            if guest.plans == planned:
                act(*told)

        Moment(self._env, delay, END, act_if_still_planned)

    def _engine_now(self) -> Millis:
        return Millis(now_of(self._env) + self._epoch)
