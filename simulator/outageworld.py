"""A site whose nodes fail, are drained and are reserved, with guests: those on a lost node are lost to their last save."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from simpy import Environment
from simpy.events import Event

from idleq.ids import Millis
from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.events import NodeChanged, WorldEvent
from idleq.simulator.harvest import IdleGap
from idleq.simulator.jobs import MainJob, NodeSpec
from idleq.simulator.kernel import AWAY, GUEST_PASS, Moment, advance
from idleq.simulator.outages import Kind, Outage
from idleq.simulator.placement import SizeUnit
from idleq.simulator.queueing import Policy, easy
from idleq.simulator.queueing.around import Evading, evading
from idleq.simulator.queueing.conservative import conservative
from idleq.simulator.queueing.easy import easy_sjbf
from idleq.simulator.queueing.fcfs import fcfs
from idleq.simulator.world import Foresight, World

NAMES: dict[Policy, str] = {fcfs: "fcfs", easy: "easy", easy_sjbf: "easy-sjbf", conservative: "conservative"}
"""Those without a memory, which say themselves how they go around outages."""

NOBODY = -1
"""Holds what is away, as if it were a main job."""


class OutageWorld(World):
    """A world in which parts of the machine are away at times; *outages* are in milliseconds, a processor is a whole node.

    What fails takes its main jobs and guests along; main jobs come back to the queue. Where a node is drained or reserved
    guests are asked to leave; a reservation is known from the beginning, so that plans end before it.
    """

    def __init__(
        self,
        env: Environment,
        nodes: Sequence[NodeSpec],
        jobs: Iterable[MainJob],
        tell: Callable[[WorldEvent], None],
        outages: Sequence[Outage],
        *,
        policy: Policy = easy,
        grace_ms: Millis = Millis(0),
        sharing: SizeUnit = SizeUnit.NODES,
        foresight: Foresight | None = None,
    ) -> None:
        if sharing is not SizeUnit.NODES:
            raise ImpossibleParameters("outages with guests go with nodes that main jobs do not share")
        self._around = going_around(policy, len(nodes), outages)
        self._reservations = [one for one in outages if one.kind is Kind.RESERVATION]
        self._away: Counter[int] = Counter()
        super().__init__(env, nodes, jobs, tell, policy=self._around, grace_ms=grace_ms, foresight=foresight)
        for outage in outages:
            Moment(env, outage.begin, AWAY, partial(self._begin_outage, outage))
            Moment(env, outage.until, AWAY, partial(self._end_outage, outage))

    def _begin_outage(self, outage: Outage, _: Event) -> None:
        if outage.kind is Kind.OUTAGE:
            for number in self._around.hit(outage):
                self._holds.pop(number, None)
                self._queue.interrupt(self._running[number].job)
        for index in outage.numbers():
            self._away[index] += 1
            for guest in tuple(self._nodes[index].guests.values()):
                if outage.kind is Kind.OUTAGE:
                    self._end_guest(guest, "its node has failed")
                else:
                    self._ask_to_leave(guest, f"its node is away: {outage.kind.value}")
            self._take_away(index)
        self._main_queue_changed()

    def _end_outage(self, outage: Outage, _: Event) -> None:
        for index in outage.numbers():
            self._away[index] -= 1
            node = self._nodes[index]
            if not self._away[index] and NOBODY in node.jobs:
                node.take_back(NOBODY)
            self._changed.add(index)
        self._main_queue_changed()

    def _main_queue_changed(self) -> None:
        self._queue.want_pass()
        self._main_queue_moved()
        self._want(GUEST_PASS, self._guest_pass)

    def _take_away(self, index: int) -> None:
        """Let nobody have what is free of a node that is away."""
        node = self._nodes[index]
        if self._away[index] and node.free_units:
            node.give(NOBODY, node.free_units)
        self._changed.add(index)

    def _main_ended(self, job: MainJob) -> None:
        nodes = self._running[job.id].nodes
        super()._main_ended(job)
        for index in nodes:
            self._take_away(index)

    def _planned_start(self, index: int) -> Millis | None:
        planned = super()._planned_start(index)
        reserved = (one.begin for one in self._reservations if one.begin > self.now and index in one)
        return min((Millis(at) for at in (planned, *reserved) if at is not None), default=None)

    def _is_up(self, index: int) -> bool:
        return not self._away[index]


def unheld_around(
    nodes: Sequence[NodeSpec], jobs: Iterable[MainJob], until: Millis, outages: Sequence[Outage], policy: Policy = easy
) -> tuple[list[IdleGap], list[IdleGap]]:
    """Return the gaps that main jobs alone leave on whole nodes, and what is away; those still open end at *until*.

    A drained node is away once its main job has ended.
    """
    env, places = Environment(), {node.name: place for place, node in enumerate(nodes)}
    gaps, away = _Spans(), _Spans()

    def tell(event: WorldEvent) -> None:
        if isinstance(event, NodeChanged):
            report, now = event.report, Millis(int(env.now))
            gaps.note(places[report.name], now, is_so=report.is_up and report.free.cores > 0)
            away.note(places[report.name], now, is_so=not report.is_up and not report.main_job)

    OutageWorld(env, nodes, jobs, tell, outages, policy=policy)
    advance(env, until)
    return gaps.until(until), away.until(until)


def going_around(policy: Policy, nodes: int, outages: Sequence[Outage]) -> Evading:
    """Return what of *policy* goes around *outages*.

    Raises:
        ImpossibleParameters: it has a memory, and was not made for them.
    """
    if isinstance(policy, Evading):
        return policy
    if policy not in NAMES:
        raise ImpossibleParameters("a policy with a memory has to know of outages from its beginning")
    return evading(NAMES[policy], nodes, outages)


class _Spans:
    """From when until when something was so of whole nodes."""

    def __init__(self) -> None:
        self._since: dict[int, Millis] = {}
        self._found: list[IdleGap] = []

    def note(self, node: int, now: Millis, *, is_so: bool) -> None:
        if is_so:
            self._since.setdefault(node, now)
        elif node in self._since:
            self._found.append(IdleGap(node, self._since.pop(node), now, 1))

    def until(self, end: Millis) -> list[IdleGap]:
        return self._found + [IdleGap(node, since, end, 1) for node, since in self._since.items() if since < end]
