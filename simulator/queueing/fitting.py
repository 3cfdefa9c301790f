"""Queues on nodes whose cores and memory main jobs share: a job starts where both are free."""

from collections.abc import Sequence

from idleq.scheduler.core.resources import Resources
from idleq.simulator.errors import JobTooLarge
from idleq.simulator.jobs import MainJob
from idleq.simulator.noderoom import Release, Room, RoomAhead
from idleq.simulator.placement import Parts, Placement
from idleq.simulator.queueing.policy import DEPTHS, Choosing, Slot


class Fitting(Choosing):
    """Counts what each node has, and keeps a job's memory with its cores.

    Where memory is never short, fcfs, easy and easy-sjbf start every job when they would without it. The reservation of easy
    is of room, not of nodes: whoever outlasts its time must leave room for it somewhere. Those of conservative are of nodes.
    """

    def __init__(self, nodes: Sequence[Resources], policy: str, placement: Placement = Placement.LOWEST) -> None:
        self._room = Room.of(nodes)
        self._depth, self._shortest_first = DEPTHS[policy], policy == "easy-sjbf"
        self._placement = placement
        self._running: dict[int, Release] = {}
        self._chosen: dict[int, Parts] = {}

    def __call__(self, waiting: Sequence[MainJob], free: int, running: Sequence[Slot], now: int) -> list[int]:
        del free, running  # it knows who holds what of which node
        if self._depth is None:
            return self._with_plans_for_all(waiting, now)
        room, begun = self._room.copy(), list[Release]()
        started: list[int] = []
        for place, job in enumerate(waiting):
            parts = room.parts_for(job, self._placement)
            if parts is None:
                break
            self._begin(job, parts, room)
            begun.append((now + job.limit, parts, job.memory))
            started.append(place)
        if self._depth and len(started) < len(waiting):
            self._backfill(waiting, started, room, begun, now)
        return started

    def chosen(self, job: MainJob) -> Parts:
        return self._chosen[job.id] if job.id in self._chosen else self._running[job.id][1]

    def started(self, job: MainJob, now: int) -> None:
        parts = self._chosen.pop(job.id)
        self._running[job.id] = now + job.limit, parts, job.memory
        self._room.take(parts, job.memory)

    def begun(self, job: MainJob, now: int) -> None:
        self._running[job.id] = now + job.limit, *self._running[job.id][1:]

    def ended(self, job: MainJob, now: int) -> None:
        del now
        _, parts, memory = self._running.pop(job.id)
        self._room.take(parts, memory, sign=-1)

    def ahead(self, now: int) -> RoomAhead:
        """Return what is free from now on as far as limits say."""
        return RoomAhead(now, self._room, self._releases())

    def _releases(self, begun: Sequence[Release] = ()) -> list[Release]:
        return sorted([*self._running.values(), *begun])

    def _begin(self, job: MainJob, parts: Parts, room: Room) -> None:
        self._chosen[job.id] = parts
        room.take(parts, job.memory)

    def _backfill(
        self, waiting: Sequence[MainJob], started: list[int], room: Room, begun: Sequence[Release], now: int
    ) -> None:
        head = waiting[len(started)]
        shadow, then = _when_there_is_room(head, room, self._releases(begun))
        behind = list(range(len(started) + 1, len(waiting)))
        if self._shortest_first:
            behind.sort(key=lambda place: waiting[place].limit)
        for place in behind:
            job = waiting[place]
            parts = room.parts_for(job, self._placement)
            if parts is None:
                continue
            if now + job.limit > shadow:
                then.take(parts, job.memory)
                if not then.has_room_for(head):
                    then.take(parts, job.memory, sign=-1)
                    continue
            self._begin(job, parts, room)
            started.append(place)

    def _with_plans_for_all(self, waiting: Sequence[MainJob], now: int) -> list[int]:
        ahead, started = self.ahead(now), list[int]()
        for place, job in enumerate(waiting):
            found = ahead.earliest(job, self._placement)
            if found is None:
                raise _too_large(job)
            at, parts = found
            ahead.take(at, job, parts)
            if at == now:
                self._chosen[job.id] = parts
                started.append(place)
        return started


def _when_there_is_room(head: MainJob, room: Room, releases: Sequence[Release]) -> tuple[int, Room]:
    """Return when, by limits, *head* has room, and what is free then."""
    then, shadow = room.copy(), None
    for end, parts, memory in releases:
        if shadow is not None and end > shadow:
            break
        then.take(parts, memory, sign=-1)
        if shadow is None and then.has_room_for(head):
            shadow = end
    if shadow is None:
        raise _too_large(head)
    return shadow, then


def _too_large(job: MainJob) -> JobTooLarge:
    return JobTooLarge(
        f"main job {job.id} asks for {job.size} cores with {job.memory} bytes each, and the whole machine has no room for it"
    )
