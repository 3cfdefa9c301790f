"""The engine in simulated time: a world, simulated agents, and a diary of all that was said and commanded."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from simpy import Environment
from simpy.events import Event

from idleq.ids import AllocationId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.commands import AgentCommand, Command, Publish, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.inputs import CommandFailed, Input, NodeReport, Tick, ViewChanged
from idleq.simulator.agents import GuestCosts, SimulatedAgents
from idleq.simulator.errors import ImpossibleRequest
from idleq.simulator.events import (
    Ended,
    Granted,
    MainEnded,
    MainStarted,
    NodeChanged,
    Preempting,
    WorldEvent,
    as_input,
    shifted,
)
from idleq.simulator.guests import request_of
from idleq.simulator.jobs import MainJob, NodeSpec
from idleq.simulator.kernel import ARRIVE, REACT, Between, Moment, advance, go_on, now_of
from idleq.simulator.outages import Outage
from idleq.simulator.placement import Placement, SizeUnit
from idleq.simulator.queueing import Policy, Semantics, easy
from idleq.simulator.world import Foresight
from idleq.simulator.worlds import world_for

SHORTEST_NAP_MS = 1
"""Between two ticks, so that an engine that always wants another one does not stop time."""


class Decision(Protocol):
    """What came of one input, as far as an experiment needs it."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What is so now."""
        ...

    @property
    def commands(self) -> tuple[Command, ...]:
        """What the world shall do."""
        ...


class Decider(Protocol):
    """The engine, unchanged: `scheduler.core.engine.Engine` is the one."""

    def handle(self, _what: Input, _now: Millis, /) -> Decision:
        """Take in what happened and decide what follows."""
        ...

    def wake_at(self) -> Millis | None:
        """Return when a Tick is wanted."""
        ...


class Watcher(Protocol):
    """Whoever reckons while an experiment runs, so that nothing need be kept."""

    def saw_facts(self, _at: Millis, _facts: tuple[Fact, ...], /) -> None:
        """Take note of what one input led to, in engine time."""
        ...

    def saw_start(self, _at: Millis, _started: MainStarted, /) -> None:
        """Take note of a main job's start, in world time."""
        ...

    def saw_kill(self, _at: Millis, _job: MainJob, /) -> None:
        """Take note that an outage has killed a main job, which begins anew, in world time."""
        ...


class Experiment:
    """Runs *engine* on a world of *nodes* and main *jobs*.

    With *keeps_diary* false nothing of the diary is kept (a year of it is some gigabytes), and agents tell of a guest's last
    save only; *watchers* hear of everything in either case. *amend* may change what agents are commanded.
    *outages* are when nodes are away, in milliseconds.

    Attributes:
        inputs: all that the engine was told, with engine time.
        commands: all that it commanded, with engine time.
        facts: all that it decided, with engine time.
        published: the accepted results, and when.
        starts: when each main job started, in world time; of one that an outage has killed, when it started again.
    """

    def __init__(
        self,
        engine: Decider,
        nodes: Sequence[NodeSpec],
        jobs: Iterable[MainJob],
        costs: GuestCosts,
        *,
        grace_ms: Millis = Millis(0),
        policy: Policy = easy,
        semantics: Semantics = Semantics.PER_TIMESTAMP,
        sharing: SizeUnit = SizeUnit.NODES,
        placement: Placement = Placement.LOWEST,
        epoch: Millis = Millis(0),
        keeps_diary: bool = True,
        watchers: Sequence[Watcher] = (),
        amend: Callable[[AgentCommand], AgentCommand] | None = None,
        foresight: Foresight | None = None,
        outages: Sequence[Outage] = (),
    ) -> None:
        self.inputs: list[tuple[Millis, Input]] = []
        self.commands: list[tuple[Millis, Command]] = []
        self.facts: list[tuple[Millis, Fact]] = []
        self.published: dict[JobId, tuple[Fence, Millis]] = {}
        self.starts: dict[int, int] = {}
        self._engine, self._epoch, self._grace_ms = engine, epoch, grace_ms
        self._env = Environment()
        self._view: dict[NodeName, NodeReport] = {}
        self._said: list[Input] = []
        self._is_due = False
        self._tick_at: int | None = None
        self._keeps_diary, self._watchers, self._amend = keeps_diary, watchers, amend
        self._agents = SimulatedAgents(self._env, costs, self._say, self._leave, epoch, tells_saves=keeps_diary)
        world = world_for(policy, semantics, placement, outages)
        self._world = world(self._env, nodes, jobs, self._hear, grace_ms=grace_ms, sharing=sharing, foresight=foresight)

    def tell(self, at: Millis, said: Input) -> None:
        """Tell the engine *said* at world time *at*, as a person would."""
        Moment(self._env, at - now_of(self._env), ARRIVE, lambda _: self._say(said))

    def run(self, until: Millis, between: Between | None = None) -> None:
        """Let the world go on until world time *until*; where *between* raises, a later call goes on from there."""
        advance(self._env, until, between)

    def take_stock(self) -> None:
        """Let the engine hear of every save up to now, as if all agents had been preempted."""
        self._agents.take_stock(self._grace_ms)
        advance(self._env, now_of(self._env))

    def run_while(self, condition: Callable[[], bool], until: Millis, between: Between | None = None) -> None:
        """Let the world go on as long as *condition* holds, but not beyond *until*."""
        go_on(self._env, until, between or _nothing, condition)

    @property
    def now(self) -> Millis:
        """Engine time."""
        return Millis(now_of(self._env) + self._epoch)

    def _hear(self, event: WorldEvent) -> None:
        if isinstance(event, NodeChanged):
            self._view[event.report.name] = shifted(event.report, self._epoch)
            self._react()
            return
        match event:
            case Granted():
                self._agents.granted(event)
            case Preempting(allocation=allocation, reason=reason):
                self._agents.preempting(allocation, reason)
            case Ended(allocation=allocation):
                self._agents.ended(allocation)
            case MainStarted(job=job):
                self.starts[job.id] = now_of(self._env)
                for watcher in self._watchers:
                    watcher.saw_start(now_of(self._env), event)
            case MainEnded(job=job):
                self._note_end(job)
            case _:
                pass
        said = as_input(event, self._epoch)
        if said is not None:
            self._say(said)

    def _note_end(self, job: MainJob) -> None:
        """Forget the start of a job that ended before its time: an outage has killed it, and it begins anew."""
        now = now_of(self._env)
        if job.id in self.starts and now < self.starts[job.id] + job.run:
            del self.starts[job.id]
            for watcher in self._watchers:
                watcher.saw_kill(Millis(now), job)

    def _leave(self, allocation: AllocationId) -> None:
        self._world.agent_gone(allocation)

    def _say(self, said: Input) -> None:
        self._said.append(said)
        self._react()

    def _react(self) -> None:
        if not self._is_due:
            self._is_due = True
            Moment(self._env, 0, REACT, self._tell_engine)

    def _tell_engine(self, _: Event) -> None:
        """Tell all that was said in this instant: how the nodes look, then the rest in its order."""
        self._is_due = False
        said, self._said = self._said, []
        if self._view:
            said.insert(0, ViewChanged(deltas=tuple(self._view.values())))
            self._view = {}
        now = self.now
        for one in said:
            self._handle(one, now)
        self._plan_tick()

    def _handle(self, said: Input, now: Millis) -> None:
        decision = self._engine.handle(said, now)
        facts = decision.facts
        if self._keeps_diary:
            self.inputs.append((now, said))
            self.facts.extend((now, fact) for fact in facts)
            self.commands.extend((now, command) for command in decision.commands)
        if facts:
            for watcher in self._watchers:
                watcher.saw_facts(now, facts)
        for command in decision.commands:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        match command:
            case RequestAllocation():
                self._request(command)
            case ReleaseAllocation():
                self._world.release(command.allocation, command.reason)
            case Publish():
                self.published.setdefault(command.job, (command.fence, self.now))
            case _:
                self._agents.send(command if self._amend is None else self._amend(command))

    def _request(self, command: RequestAllocation) -> None:
        try:
            self._world.request(request_of(command, self._epoch))
        except ImpossibleRequest as error:
            self._say(CommandFailed(command=command.id, reason=str(error), transient=False))

    def _plan_tick(self) -> None:
        wanted = self._engine.wake_at()
        if wanted is None:
            return
        now = now_of(self._env)
        at = max(wanted - self._epoch, now + SHORTEST_NAP_MS)
        if self._tick_at is None or at < self._tick_at:
            self._tick_at = at
            Moment(self._env, at - now, REACT, self._tick)

    def _tick(self, _: Event) -> None:
        if self._tick_at != now_of(self._env):
            # An earlier tick was planned after this one, and has come.
            return
        self._tick_at = None
        wanted = self._engine.wake_at()
        if wanted is not None and wanted <= self.now:
            self._say(Tick())
        else:
            self._plan_tick()


def _nothing() -> None:
    """Nobody looks."""


def replay(engine: Decider, inputs: Iterable[tuple[Millis, Input]]) -> list[tuple[Millis, Command]]:
    """Return what *engine* commands when it is told *inputs* at their times."""
    return [(at, command) for at, said in inputs for command in engine.handle(said, at).commands]
