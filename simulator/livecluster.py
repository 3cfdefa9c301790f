"""A world in real time, with agents that are processes: the wall clock steps it, and what it tells is done.

A process that was killed builds the same world again from its settings and its records, and finds its agents again.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Protocol, assert_never

from simpy import Environment

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.commands import ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import AllocationGranted, AllocationLost, Input, MainJobStarted, ViewChanged
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.ports import Clock
from idleq.simulator.book import AgentStarted, Begun, HeldUp, Life, Over, Record, lives
from idleq.simulator.errors import ImpossibleRequest
from idleq.simulator.events import (
    Ended,
    Granted,
    MainEnded,
    MainStarted,
    NodeChanged,
    Preempting,
    WorldEvent,
    as_inputs,
    shifted,
)
from idleq.simulator.guests import request_of
from idleq.simulator.kernel import advance
from idleq.simulator.settings import ClusterSettings, main_jobs
from idleq.simulator.wire import Answer, Call, Done, News, Poll, Refusal, Stop, packed_input
from idleq.simulator.world import World

REMEMBERED = 1000
"""So many allocations that are over are told again after a restart; older ones the daemon has long known about."""

LONGEST_NAP_MS = Millis(1000)
"""Adopted agents are no children of ours: that they have gone is found by looking."""

MOST_NEWS = 10_000
"""So many news are kept for a daemon that does not ask."""


class Hosting(Protocol):
    """Runs agents; `host.Host` is the one that runs them as processes."""

    def start(self, allocation: AllocationId, node: NodeName, resources: Resources, until: Millis) -> AgentStarted:
        """Start the agent of *allocation* in an empty scratch; raise OSError if that cannot be done."""
        ...

    def find(self, agent: AgentStarted, node: NodeName) -> bool:
        """Return whether *agent*, of an earlier life, still lives; then it is hosted again."""
        ...

    def ask_to_leave(self, allocation: AllocationId) -> None:
        """Tell the agent that its grace has begun."""
        ...

    def end(self, allocation: AllocationId, node: NodeName) -> int:
        """Kill all that is left of *allocation*; return how many processes would not die."""
        ...

    def alive(self, allocation: AllocationId) -> int:
        """Count the guests' processes."""
        ...

    def gone(self) -> Mapping[AllocationId, str]:
        """Return the allocations whose agents have ended, and how."""
        ...


class Records(Protocol):
    """Remembers through a crash; `book.Book` is the one that does so in a file."""

    def add(self, record: Record) -> None:
        """Write *record*; raise OSError if it is not written."""
        ...

    def close(self) -> None:
        """Write no more."""
        ...


class LiveCluster:
    """A world in real time, with agents that are processes."""

    def __init__(
        self, settings: ClusterSettings, clock: Clock, host: Hosting, book: Records, records: Iterable[Record]
    ) -> None:
        """Build the world as it is now, after all that *records* tell of it."""
        self.is_stopping = False
        self._epoch = settings.start
        self._clock, self._host, self._book = clock, host, book
        self._life = uuid.uuid4().hex
        self._news: list[Input] = []
        self._last = 0
        self._nodes: dict[AllocationId, NodeName] = {}
        self._survivors: dict[AllocationId, int] = {}
        self._over: dict[AllocationId, str] = {}
        known, held_up = lives(records, self._epoch)
        self._env = Environment()
        self._is_live = False
        self._world = World(
            self._env,
            settings.nodes,
            main_jobs(settings),
            self._hear,
            grace_ms=settings.grace_ms,
            sharing=settings.sharing,
            held_up=held_up,
            is_watched=False,
        )
        self._grace = settings.grace_ms
        advance(self._env, self._now())
        self._world.wake()
        advance(self._env, int(self._env.now))
        self._is_live = True
        for life in known.values():
            self._resume(life)
        advance(self._env, self._now())

    # What time and processes bring.

    def turn(self) -> None:
        """Let happen what is due by now."""
        for allocation, how in self._host.gone().items():
            self._catch_up()
            self._world.agent_gone(allocation, how)
        self._catch_up()

    def nap_ms(self) -> Millis:
        """Return how long nothing is due, as far as is known now."""
        due = self._env.peek()
        wait = LONGEST_NAP_MS if due == float("inf") else int(due) - self._now()
        return Millis(max(0, min(LONGEST_NAP_MS, wait)))

    def end(self) -> None:
        """End every allocation and all that runs in it."""
        self._catch_up()
        self._world.end_all("the cluster was stopped")
        self._book.close()

    # What the daemon asks.

    def answer(self, call: Call) -> Answer:
        """Do what *call* asks and return the answer."""
        self.turn()
        answer = self._answer(call)
        self._catch_up()
        return answer

    def _answer(self, call: Call) -> Answer:
        match call:
            case RequestAllocation():
                return self._request(call)
            case ReleaseAllocation():
                self._release(call)
                return Done()
            case Poll():
                return self._tell_news(call)
            case Stop():
                self.is_stopping = True
                return Done()
            case _:
                assert_never(call)

    def _request(self, command: RequestAllocation) -> Answer:
        allocation = command.allocation
        if allocation in self._over:
            self._say(AllocationLost(allocation=allocation, reason=self._over[allocation]))
            return Done()
        if allocation in self._nodes or allocation in self._world.pending():
            return Done()
        try:
            self._book.add(command)
            self._world.request(request_of(command, self._epoch))
        except ImpossibleRequest as error:
            self._write(Over(allocation=allocation, reason=str(error)))
            return Refusal(reason=str(error), transient=False)
        except OSError as error:
            return Refusal(reason=f"the cluster cannot write its records: {error.strerror}", transient=True)
        return Done()

    def _release(self, command: ReleaseAllocation) -> None:
        allocation = command.allocation
        if allocation in self._nodes or allocation in self._world.pending():
            self._world.release(allocation, command.reason)
        else:
            self._say(AllocationLost(allocation=allocation, reason=self._over.get(allocation, "it is not known here")))

    def _tell_news(self, poll: Poll) -> News:
        if poll.life == self._life:
            del self._news[: max(0, len(self._news) - (self._last - poll.taken))]
        else:
            self._news = [*self._everything(), *self._lasting_news()]
            self._last += len(self._news)
        return News(
            life=self._life,
            last=self._last,
            inputs=tuple(packed_input(said) for said in self._news),
            allocations=(*self._world.pending(), *self._nodes),
        )

    def _everything(self) -> list[Input]:
        deltas = tuple(shifted(report, self._epoch) for report in self._world.reports())
        return [ViewChanged(deltas=deltas), *as_inputs(self._world.granted(), self._epoch)]

    def _lasting_news(self) -> list[Input]:
        """Return what a full account of the present does not hold."""
        return [said for said in self._news if isinstance(said, AllocationLost | MainJobStarted)]

    # What the world tells.

    def _hear(self, event: WorldEvent) -> None:
        if not self._is_live:
            # The past, lived through again: nothing of it has to be done.
            return
        match event:
            case Granted():
                self._begin(event)
            case Preempting():
                self._host.ask_to_leave(event.allocation)
            case Ended():
                self._finish(event)
            case MainStarted():
                self._note_start(event)
            case NodeChanged():
                self._say(*as_inputs([event], self._epoch))
            case MainEnded():
                pass
            case _:
                assert_never(event)

    def _begin(self, event: Granted) -> None:
        self._nodes[event.allocation] = event.node
        (granted,) = as_inputs([event], self._epoch)
        assert isinstance(granted, AllocationGranted)
        until = Millis(event.until + self._epoch)
        self._say(granted)
        try:
            self._book.add(Begun(allocation=event.allocation, node=event.node, until=until))
            self._book.add(self._host.start(event.allocation, event.node, event.resources, until))
        except OSError as error:
            self._world.agent_gone(event.allocation, f"its agent could not be started: {error}")

    def _finish(self, event: Ended) -> None:
        allocation = event.allocation
        node = self._nodes.pop(allocation, None)
        if node is not None:
            self._survivors[allocation] = self._host.end(allocation, node)
        self._over[allocation] = event.reason
        self._write(Over(allocation=allocation, reason=event.reason))
        self._say(AllocationLost(allocation=allocation, reason=event.reason))

    def _note_start(self, event: MainStarted) -> None:
        alive = sum(self._survivors.pop(allocation, 0) for allocation in event.left)
        self._say(*as_inputs([event], self._epoch, guests_alive=alive))
        if event.waited_ms:
            self._write(HeldUp(world=self._epoch, main_job=event.job.id, waited_ms=event.waited_ms))

    def _write(self, record: Record) -> None:
        """Write what a later life could also find out, or live without, if the disk is full."""
        try:
            self._book.add(record)
        except OSError as error:
            print(f"cluster: {record} is not written: {error}", flush=True)  # noqa: T201 - stdout is the cluster's log

    def _resume(self, life: Life) -> None:
        """Take up one allocation where its records leave it."""
        allocation = life.request.allocation
        if life.over is not None:
            self._over[allocation] = life.over.reason
            self._say(AllocationLost(allocation=allocation, reason=life.over.reason))
        elif life.begun is None:
            self._world.request(request_of(life.request, self._epoch))
        else:
            self._resume_begun(life, life.begun)

    def _resume_begun(self, life: Life, begun: Begun) -> None:
        allocation = begun.allocation
        self._nodes[allocation] = begun.node
        if life.agent is None or not self._host.find(life.agent, begun.node):
            self._finish(Ended(allocation=allocation, reason="its agent died while the cluster's process was away"))
            return
        self._count_harm(allocation, begun.node)
        if not self._world.adopt(request_of(life.request, self._epoch), begun.node, Millis(begun.until - self._epoch)):
            self._finish(Ended(allocation=allocation, reason="its time was up while the cluster's process was away"))

    def _count_harm(self, allocation: AllocationId, node: NodeName) -> None:
        """Tell of guests that are found alive beside a main job which started while nobody looked."""
        busy = [report.main_job for report in self._world.reports() if report.name == node and report.main_job]
        alive = self._host.alive(allocation)
        for main_job in busy if alive else ():
            self._say(
                MainJobStarted(
                    main_job=main_job, nodes=(node,), waited_ms=Millis(0), bound_ms=self._grace, guests_alive=alive
                )
            )

    def _say(self, *inputs: Input) -> None:
        self._news.extend(inputs)
        self._last += len(inputs)
        if len(self._news) > MOST_NEWS:
            # Nobody has listened for long: whoever comes next is told all from the beginning.
            self._news = self._lasting_news()
            self._life = uuid.uuid4().hex

    def _catch_up(self) -> None:
        advance(self._env, max(self._now(), int(self._env.now)))

    def _now(self) -> Millis:
        return Millis(max(0, self._clock.now() - self._epoch))


def kept_records(records: Iterable[Record], world: Millis) -> list[Record]:
    """Return of *records* what a new life of *world* needs: all that is not over, and the last of what is."""
    known, held_up = lives(records, world)
    over = [life for life in known.values() if life.over is not None]
    dropped = {life.request.allocation for life in over[: max(0, len(over) - REMEMBERED)]}
    kept: list[Record] = [HeldUp(world=world, main_job=job, waited_ms=waited) for job, waited in held_up.items()]
    for allocation, life in known.items():
        if allocation not in dropped:
            parts = (life.request, life.begun, life.agent, life.over)
            kept.extend(part for part in parts if part is not None)
    return kept
