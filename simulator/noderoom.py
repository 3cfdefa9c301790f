"""What is free of each node, cores and memory together: now, and later as far as limits say."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from idleq.scheduler.core.resources import Resources
from idleq.simulator.jobs import MainJob
from idleq.simulator.placement import Parts, Placement, place
from idleq.simulator.table import Column, column


@dataclass(slots=True, eq=False)
class Room:
    """Free cores and bytes of each node; a job takes some cores of a node, and of its memory so much with each."""

    cores: Column
    memory: Column

    @classmethod
    def of(cls, nodes: Sequence[Resources]) -> Self:
        """Return all of *nodes*."""
        return cls(column([node.cores for node in nodes]), column([node.memory for node in nodes]))

    def copy(self) -> "Room":
        """Return the same, to be changed apart."""
        return Room(self.cores.copy(), self.memory.copy())

    def beside(self, other: "Room") -> "Room":
        """Return of each node what is free in both."""
        return Room(np.minimum(self.cores, other.cores), np.minimum(self.memory, other.memory))

    def for_job(self, job: MainJob) -> Column:
        """Return how many processors of *job* each node could take."""
        return np.minimum(self.cores, self.memory // job.memory) if job.memory > 0 else self.cores

    def has_room_for(self, job: MainJob) -> bool:
        """Whether all of *job* could be here at once."""
        return bool(self.cores.sum() >= job.size and self.for_job(job).sum() >= job.size)

    def parts_for(self, job: MainJob, placement: Placement) -> Parts | None:
        """Return which cores *job* gets here, None if there is no room for all of it."""
        if self.cores.sum() < job.size:
            return None
        free = self.for_job(job)
        return place(free.tolist(), job.size, placement) if free.sum() >= job.size else None

    def take(self, parts: Parts, memory: int, sign: int = 1) -> None:
        """Let somebody hold *parts* with so much memory for each core; give it back if *sign* is -1."""
        for node, cores in parts:
            self.cores[node] -= sign * cores
            self.memory[node] -= sign * cores * max(0, memory)


Release = tuple[int, Parts, int]
"""When a job gives back what it holds, by its limit: its parts, and its memory for each core."""


class RoomAhead:
    """Room from now on, as steps: rooms[i] from times[i] until times[i + 1], the last one for ever."""

    def __init__(self, now: int, room: Room, releases: Iterable[Release]) -> None:
        """Begin with *room*; *releases* are by time."""
        self.times, self.rooms = [now], [room.copy()]
        for by_limit, parts, memory in releases:
            end = max(by_limit, now + 1)  # one that was kept back beyond its limit is still there
            if end > self.times[-1]:
                self.times.append(end)
                self.rooms.append(self.rooms[-1].copy())
            self.rooms[-1].take(parts, memory, sign=-1)

    def earliest(self, job: MainJob, placement: Placement) -> tuple[int, Parts] | None:
        """Return from when on *job* has its cores for all of its limit, and which; None if there is no such time."""
        for first, at in enumerate(self.times):
            if not self.rooms[first].has_room_for(job):
                continue
            room = self.rooms[first]
            for later in self.rooms[first + 1 : bisect_left(self.times, at + job.limit)]:
                room = room.beside(later)
            parts = room.parts_for(job, placement)
            if parts is not None:
                return at, parts
        return None

    def take(self, start: int, job: MainJob, parts: Parts) -> None:
        """Let *job* hold *parts* from *start* on for its limit."""
        for room in self.rooms[self._step_at(start) : self._step_at(start + job.limit)]:
            room.take(parts, job.memory)

    def _step_at(self, at: int) -> int:
        """Return the step that begins at *at*, made if there is none."""
        step = bisect_left(self.times, at)
        if step == len(self.times) or self.times[step] != at:
            self.times.insert(step, at)
            self.rooms.insert(step, self.rooms[step - 1].copy())
        return step
