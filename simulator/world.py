"""A site: its own queue on real nodes, and guests in the gaps. The same class runs in simulated and in real time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from simpy import Environment
from simpy.events import Event

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.inputs import NodeReport
from idleq.simulator.errors import ImpossibleRequest
from idleq.simulator.events import Ended, Granted, MainEnded, MainStarted, NodeChanged, Preempting, WorldEvent
from idleq.simulator.guests import Guest, Hold, Node, Request, Running, granted_until
from idleq.simulator.jobs import MainJob, NodeSpec
from idleq.simulator.kernel import END, GUEST_PASS, LATE_END, SHOW, Deadlines, Moment, now_of
from idleq.simulator.placement import (
    Parts,
    Placement,
    SizeUnit,
    must_leave,
    planned_starts,
    planned_starts_on_whole_nodes,
    units_of,
)
from idleq.simulator.queueing import MainQueue, Policy, Semantics, easy
from idleq.simulator.queueing.plan import plan
from idleq.simulator.queueing.policy import chooser

PLAN_DEPTH = 100
"""So many waiting jobs get a planned start, as a site's bf_max_job_test limits it."""

Foresight = Callable[[Millis], dict[int, int]]
"""Says when the next main job starts on each node that will have one; nodes by their place in the site's list."""


class World:
    """Main jobs under a policy that does not see guests; guests take what is left, and leave when it is wanted.

    All times are whole milliseconds from the world's start. *tell* hears every event when it happens. *held_up* names
    main jobs that, when this stretch was lived through before, had to wait so long for guests: a world that is built
    again takes the same course; while that goes on nobody looks (*is_watched* false until `wake`), which saves making plans.
    With *foresight* the site's plan is that and not what its queue can know.
    """

    def __init__(
        self,
        env: Environment,
        nodes: Sequence[NodeSpec],
        jobs: Iterable[MainJob],
        tell: Callable[[WorldEvent], None],
        *,
        policy: Policy = easy,
        semantics: Semantics = Semantics.PER_TIMESTAMP,
        grace_ms: Millis = Millis(0),
        sharing: SizeUnit = SizeUnit.NODES,
        placement: Placement = Placement.LOWEST,
        held_up: Mapping[int, Millis] | None = None,
        plan_depth: int = PLAN_DEPTH,
        is_watched: bool = True,
        foresight: Foresight | None = None,
    ) -> None:
        self.tell = tell
        self._env = env
        self._grace = grace_ms
        self._placement = placement
        self._choose = chooser(policy, lambda: [node.free_units for node in self._nodes], placement)
        self._held_up = held_up or {}
        self._plan_depth = plan_depth
        self._nodes = [
            Node(spec=spec, units=units_of(spec, sharing), free_units=units_of(spec, sharing)) for spec in nodes
        ]
        self._are_whole = all(node.units == 1 for node in self._nodes)
        self._places = {node.spec.name: place for place, node in enumerate(self._nodes)}
        self._running: dict[int, Running] = {}
        self._holds: dict[int, Hold] = {}
        self._pending: dict[AllocationId, Request] = {}
        self._guests: dict[AllocationId, Guest] = {}
        self._ends = Deadlines(env, LATE_END, partial(self._end_guest, reason="its time is up"), self._is_here)
        self._planned: dict[int, int] = {}
        self._told: dict[int, NodeReport] = {}
        self._changed = set(range(len(self._nodes)))
        self._due: set[int] = set()
        self._main_moved = False
        self._is_watched = is_watched
        self._foresight = foresight or self._by_the_plan
        processors = sum(node.units for node in self._nodes)
        queue = partial(MainQueue, env, jobs, processors, policy, semantics=semantics, has_nodes=True)
        self._queue = queue(gate=self._gate, on_end=self._main_ended, on_change=self._main_queue_moved)
        self._want(GUEST_PASS, self._guest_pass)

    @property
    def now(self) -> Millis:
        """The world's present."""
        return now_of(self._env)

    def wake(self) -> None:
        """Be watched from now on."""
        self._is_watched = True
        self._want(GUEST_PASS, self._guest_pass)

    # What guests ask for.

    def request(self, request: Request) -> None:
        """Ask for an allocation; one that is known already is not asked for again.

        Raises:
            ImpossibleRequest: it could not be granted if the site were empty.
        """
        if request.allocation in self._pending or request.allocation in self._guests:
            return
        node, resources = request.node, request.resources
        if node is not None and node not in self._places:
            raise ImpossibleRequest(f"there is no node {node} here; the nodes are {', '.join(self._places)}")
        candidates = self._nodes if node is None else [self._nodes[self._places[node]]]
        if not any(resources.fits_in(candidate.spec.resources) for candidate in candidates):
            raise ImpossibleRequest(f"no node has {resources}: ask for less")
        if request.max_ms < max(1, request.min_ms):
            raise ImpossibleRequest(f"an allocation of at most {request.max_ms} ms cannot last {request.min_ms} ms")
        self._pending[request.allocation] = request
        self._want(GUEST_PASS, self._guest_pass)

    def release(self, allocation: AllocationId, reason: str = "released") -> None:
        """Give an allocation back: at once if it has not begun, within the grace if it has."""
        if self._pending.pop(allocation, None) is not None:
            self.tell(Ended(allocation=allocation, reason=reason))
        elif (guest := self._guests.get(allocation)) is not None:
            self._ask_to_leave(guest, reason)

    def agent_gone(self, allocation: AllocationId, reason: str = "its agent has left") -> None:
        """Take note that nothing runs in *allocation* any more."""
        if (guest := self._guests.get(allocation)) is not None:
            self._end_guest(guest, guest.reason or reason)

    def adopt(self, request: Request, node: NodeName, until: Millis) -> bool:
        """Take in an allocation that began in an earlier life of this world; main jobs on its node want it gone.

        Returns:
            whether it could be taken in: not if its node is none of ours or its time is up.
        """
        place_in_list = self._places.get(node)
        if place_in_list is None or until <= self.now:
            return False
        guest = self._take_in(request, place_in_list, until)
        host = self._nodes[place_in_list]
        if not host.held.fits_in(host.room):
            self._ask_to_leave(guest, "a main job has started here meanwhile")
        return True

    def end_all(self, reason: str) -> None:
        """End every allocation now."""
        for allocation in tuple(self._pending):
            self.release(allocation, reason)
        for guest in tuple(self._guests.values()):
            self._end_guest(guest, reason)

    # What the site shows.

    def reports(self) -> list[NodeReport]:
        """Return every node as it looks now."""
        return [self._report(place) for place in range(len(self._nodes))]

    def pending(self) -> tuple[AllocationId, ...]:
        """Return the allocations that wait for room."""
        return tuple(self._pending)

    def granted(self) -> tuple[Granted, ...]:
        """Return the allocations that hold resources."""
        return tuple(self._granted(guest) for guest in self._guests.values())

    # Main jobs.

    def _gate(self, job: MainJob) -> bool:
        parts = self._placed(job)
        nodes = [index for index, _ in parts]
        self._running[job.id] = Running(job=job, parts=parts, nodes=nodes, ends_at=Millis(self.now + job.limit))
        victims: list[Guest] = []
        for index, units in parts:
            node = self._nodes[index]
            node.give(job.id, units)
            self._changed.add(index)
            victims += self._in_the_way(node)
        hold = self._make_room(job, victims)
        if hold.waiting_for:
            self._holds[job.id] = hold
            return False
        self._tell_start(hold)
        return True

    def _placed(self, job: MainJob) -> Parts:
        return self._choose(job)

    def _in_the_way(self, node: Node) -> list[Guest]:
        """Return the guests that must leave *node*: rather those that are leaving anyway, then the youngest."""
        if node.held.fits_in(node.room):
            return []
        ordered = sorted(node.guests.items(), key=lambda item: item[1].leave_by is not None)
        claims = [(allocation, guest.request.resources) for allocation, guest in ordered]
        return [node.guests[allocation] for allocation in must_leave(node.room, claims)]

    def _make_room(self, job: MainJob, victims: Sequence[Guest]) -> Hold:
        """Ask *victims* to leave and say which of them *job* has to wait for."""
        names = [guest.request.allocation for guest in victims]
        earlier = self._held_up.get(job.id, Millis(0))
        bound = max([self._leaves_by(guest) - self.now for guest in victims] + [earlier])
        for guest in victims:
            if guest.request.mode is Mode.PREEMPTIBLE:
                self._ask_to_leave(guest, f"preempted by main job {job.id}")
        hold = Hold(
            job=job,
            decided_at=self.now,
            bound_ms=Millis(bound),
            left=tuple(names),
            waiting_for={name for name in names if name in self._guests},
        )
        if earlier:
            # Nobody of that time lives any more: a stand-in keeps the job waiting as long as it did then.
            stand_in = AllocationId(f"main job {job.id} waited")
            hold.waiting_for.add(stand_in)
            Moment(self._env, earlier, END, lambda _: self._left(stand_in, hold))
        return hold

    def _leaves_by(self, guest: Guest) -> Millis:
        """Return when *guest* will have left at the latest; a window is never cut short."""
        if guest.request.mode is Mode.WINDOW:
            return guest.until
        asked = guest.leave_by if guest.leave_by is not None else Millis(self.now + self._grace)
        return min(asked, guest.until)

    def _left(self, allocation: AllocationId, hold: Hold) -> None:
        """Let the job of *hold* begin if *allocation* was the last in its way."""
        if allocation not in hold.waiting_for:
            return
        hold.waiting_for.discard(allocation)
        if hold.waiting_for:
            return
        del self._holds[hold.job.id]
        running = self._running[hold.job.id]
        running.ends_at = Millis(self.now + hold.job.limit)
        self._changed.update(index for index, _ in running.parts)
        self._queue.begin(hold.job)
        self._main_queue_moved()
        self._tell_start(hold)

    def _tell_start(self, hold: Hold) -> None:
        parts = self._running[hold.job.id].parts
        nodes = tuple(self._nodes[index].spec.name for index, _ in parts)
        units = tuple(taken for _, taken in parts)
        waited = Millis(self.now - hold.decided_at)
        self.tell(
            MainStarted(
                job=hold.job, nodes=nodes, units=units, waited_ms=waited, bound_ms=hold.bound_ms, left=hold.left
            )
        )

    def _main_ended(self, job: MainJob) -> None:
        for index, _ in self._running.pop(job.id).parts:
            self._nodes[index].take_back(job.id)
            self._changed.add(index)
        self.tell(MainEnded(job=job))
        self._main_queue_moved()

    def _main_queue_moved(self) -> None:
        self._main_moved = True
        self._want(GUEST_PASS, self._guest_pass)

    # Guests.

    def _ask_to_leave(self, guest: Guest, reason: str) -> None:
        if guest.leave_by is not None:
            return
        guest.leave_by, guest.reason = Millis(self.now + self._grace), reason
        if self._grace == 0:
            self._end_guest(guest, reason)
            return
        self.tell(Preempting(allocation=guest.request.allocation, grace_ms=self._grace, reason=reason))
        Moment(self._env, self._grace, END, lambda _: self._end_guest(guest, reason))

    def _is_here(self, guest: Guest) -> bool:
        return self._guests.get(guest.request.allocation) is guest

    def _end_guest(self, guest: Guest, reason: str) -> None:
        if not self._is_here(guest):
            return
        allocation = guest.request.allocation
        del self._guests[allocation]
        self._nodes[guest.node].let_go(guest)
        self.tell(Ended(allocation=allocation, reason=reason))
        for hold in tuple(self._holds.values()):
            self._left(allocation, hold)
        self._want(GUEST_PASS, self._guest_pass)

    def _guest_pass(self, _: Event) -> None:
        self._due.discard(GUEST_PASS)
        if not self._is_watched:
            return
        if self._main_moved:
            self._main_moved = False
            self._plan_ahead()
        if self._pending:
            self._grant()
        if self._changed:
            self._want(SHOW, self._show)

    def _by_the_plan(self, now: Millis) -> dict[int, int]:
        queue, running = self._queue, self._running.values()
        if not (waiting := queue.waiting[: self._plan_depth]):
            return {}
        if self._are_whole:
            free = [index for index, node in enumerate(self._nodes) if node.free_units]
            whole = [(int(one.ends_at), one.nodes) for one in running]
            planned = plan(waiting, len(free), queue.running, now)
            return planned_starts_on_whole_nodes(planned, free, whole, len(self._nodes))
        planned = plan(waiting, sum([node.free_units for node in self._nodes]), queue.running, now)
        ends = [(int(one.ends_at), one.parts) for one in running]
        return planned_starts(planned, [node.free_units for node in self._nodes], ends, self._placement)

    def _plan_ahead(self) -> None:
        before, self._planned = self._planned, self._foresight(self.now)
        self._changed.update(index for index, _ in before.items() ^ self._planned.items())

    def _grant(self) -> None:
        """Grant what can be, in the order in which it was asked for, each on the first node that can host it long enough."""
        looked_at: dict[tuple[object, ...], int] = {}
        for request in tuple(self._pending.values()):
            # While nothing is given back, what was no place for one is none for the next that asks for the same.
            alike = request.node, request.resources, request.min_ms, request.max_ms, request.ends_by
            looked_at[alike] = self._try(request, looked_at.get(alike, 0))

    def _try(self, request: Request, begin: int) -> int:
        """Grant *request* on the first node from *begin* on that can host it; return which that is, or their number if none can."""
        if request.node is None:
            candidates = range(begin, len(self._nodes))
        else:
            candidates = range(self._places[request.node], self._places[request.node] + 1)
        for index in candidates:
            node = self._nodes[index]
            if not node.free_units or not node.has_room_for(request.resources):
                continue
            until = granted_until(request, self.now, self._planned_start(index))
            if until is not None:
                del self._pending[request.allocation]
                self.tell(self._granted(self._take_in(request, index, until)))
                return index
        return len(self._nodes)

    def _take_in(self, request: Request, index: int, until: Millis) -> Guest:
        guest = Guest(request=request, node=index, until=until)
        self._guests[request.allocation] = guest
        self._nodes[index].take_in(guest)
        self._ends.set(until, guest)
        return guest

    # Views.

    def _granted(self, guest: Guest) -> Granted:
        request, node = guest.request, self._nodes[guest.node].spec.name
        return Granted(allocation=request.allocation, node=node, resources=request.resources, until=guest.until)

    def _planned_start(self, index: int) -> Millis | None:
        start = self._planned.get(index)
        return None if start is None else Millis(start)

    def _is_up(self, _index: int) -> bool:
        return True

    def _report(self, index: int) -> NodeReport:
        node = self._nodes[index]
        running, spec = self._running, node.spec
        jobs = [job for job in node.jobs if job in running]
        return NodeReport(
            name=spec.name,
            capacity=spec.resources,
            free=node.room,
            is_up=self._is_up(index),
            busy_until=max([running[job].ends_at for job in jobs]) if jobs else None,
            planned_start=self._planned_start(index),
            main_job=",".join(map(str, jobs)) if jobs else "",
        )

    def _show(self, _: Event) -> None:
        self._due.discard(SHOW)
        for index in sorted(self._changed):
            report = self._report(index)
            if self._told.get(index) != report:
                self._told[index] = report
                self.tell(NodeChanged(report=report))
        self._changed.clear()

    def _want(self, rank: int, callback: Callable[[Event], None]) -> None:
        """Call *callback* once, at *rank* within this instant."""
        if rank not in self._due:
            self._due.add(rank)
            Moment(self._env, 0, rank, callback)
