"""What may start, indexed by what a gap can hold: one ordered line per shape, and an array is one place in it."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

from idleq.ids import EntryId, JobId, Millis, NodeName
from idleq.machines import Machine, Needs, suits
from idleq.scheduler.core.kind import Kinds
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import FreezeMethod, JobSpec
from idleq.scheduler.core.wishes import Move

UNTOUCHED = 2**62
NO_END = 2**62

_STANDING = attrgetter("standing")


class Place(NamedTuple):
    """A place in a line, in the order of the line.

    Attributes:
        standing: queued since, less one patience per priority: whoever has the lower standing goes first, now and ever
            after, since all grow old at the same rate.
        entry: breaks ties: the entry that came first.
        ordinal: breaks the rest: the task that comes first; UNTOUCHED, behind them all, for what of an entry never started.
    """

    standing: Millis
    entry: EntryId
    ordinal: int


class Shape(NamedTuple):
    """What decides whether a gap can hold a job, how well, and for whom.

    Attributes:
        resources: what it needs of a node.
        freeze: how it is frozen.
        doublings: the power of two of its expected run time, -1 if that is unknown.
        user: whose it is.
        bound_to: what the snapshot that it goes on from needs of a machine.
        needs: what a node must be able to do.
        move: where alone it is to go on, None for anywhere.
    """

    resources: Resources
    freeze: FreezeMethod
    doublings: int
    user: str
    bound_to: Needs | None
    needs: tuple[str, ...]
    move: Move | None = None

    @classmethod
    def of(
        cls, spec: JobSpec, user: str, bound_to: Needs | None, needs: tuple[str, ...], move: Move | None = None
    ) -> "Shape":
        """Return the shape of *user*'s jobs like *spec*."""
        doublings = -1 if spec.expected_ms is None else spec.expected_ms.bit_length()
        return cls(spec.resources, spec.freeze, doublings, user, bound_to, needs, move)

    @property
    def is_choosy(self) -> bool:
        """Whether its jobs cannot go on everywhere."""
        return self.bound_to is not None or self.move is not None

    @property
    def most(self) -> int:
        """No job of this shape runs for more core-milliseconds, as far as is known."""
        return NO_END if self.doublings < 0 else self.resources.cores << self.doublings


class Like(NamedTuple):
    """What, of jobs of one shape, decides for whom a gap pays: those that are alike in it, it pays for all or for none.

    Attributes:
        kinds: what they are alike to where costs are learned.
        left_ms: how long they still run, None if that is unknown.
        bytes: what their newest snapshot weighs, None if they have none.
    """

    kinds: Kinds
    left_ms: Millis | None
    bytes: int | None


class Candidate(Struct, frozen=True, gc=False):
    """Somebody in line: one job that has started before, or (job None) what of an entry never has."""

    place: Place
    entry: EntryId
    job: JobId | None
    like: Like


@dataclass(slots=True)
class Line:
    """All of one *shape*, first to go first; *need* and *most* are the shape's, kept at hand since every choice looks at many lines.

    Attributes:
        most: no job of the line has more core-milliseconds left to run.
        alike: the places of those that are alike, in order.
        firsts: the first of each of these, in order; the very first is the line's head.
        lefts: how long those of one kind and weight still run, in order, NO_END where that is unknown: once for all that are alike.
    """

    shape: Shape
    need: Resources
    most: int
    alike: dict[Like, list[Place]] = field(default_factory=dict)
    firsts: list[Place] = field(default_factory=list)
    lefts: dict[tuple[Kinds, int | None], list[int]] = field(default_factory=dict)
    candidates: dict[Place, Candidate] = field(default_factory=dict)
    jobs: int = 0

    def put(self, candidate: Candidate) -> None:
        """*candidate* stands in the line."""
        place = candidate.place
        self.candidates[place] = candidate
        alike = self.alike.get(candidate.like)
        if alike is None:
            alike = self.alike[candidate.like] = []
            self._count(candidate.like)
        insort(alike, place)
        if alike[0] is place:
            if len(alike) > 1:
                del self.firsts[bisect_left(self.firsts, alike[1])]
            insort(self.firsts, place)

    def drop(self, place: Place) -> None:
        """Whoever stood at *place* does not stand in the line any more."""
        like = self.candidates.pop(place).like
        alike = self.alike[like]
        at = bisect_left(alike, place)
        del alike[at]
        if at > 0:
            return
        del self.firsts[bisect_left(self.firsts, place)]
        if alike:
            insort(self.firsts, alike[0])
        else:
            del self.alike[like]
            self._discount(like)

    def shortest_if_one_weight(self) -> int:
        """Return how long whoever ends first still runs if all of the line are of one kind and weigh the same; 0 if they are not."""
        if len(self.lefts) > 1:
            return 0
        (lefts,) = self.lefts.values()
        return lefts[0]

    def _count(self, like: Like) -> None:
        kinds, left_ms, weighs = like
        lefts = self.lefts.setdefault((kinds, weighs), [])
        insort(lefts, NO_END if left_ms is None else left_ms)

    def _discount(self, like: Like) -> None:
        kinds, left_ms, weighs = like
        lefts = self.lefts[kinds, weighs]
        if len(lefts) > 1:
            del lefts[bisect_left(lefts, NO_END if left_ms is None else left_ms)]
        else:
            del self.lefts[kinds, weighs]

    def is_for(self, abilities: frozenset[str] | None) -> bool:
        """Whether a node of these *abilities* (None: not known, so perhaps) can host its jobs."""
        return abilities is None or abilities.issuperset(self.shape.needs)

    def suits(self, machine: Machine | None, node: NodeName | None) -> bool:
        """Whether its jobs can and may go on on *machine*, which is *node* (None for either: not known, so perhaps)."""
        bound_to, move = self.shape.bound_to, self.shape.move
        if move is not None and node is not None and not move.allows(node):
            return False
        return bound_to is None or suits(bound_to, machine)

    def most_of(self, length_ms: Millis) -> int:
        """Return the most core-milliseconds that any job of the line could make of *length_ms*."""
        whole = self.need.cores * length_ms
        return whole if whole < self.most else self.most  # noqa: FURB136 - min takes three times as long


@dataclass(slots=True)
class Queue:
    """Every job that may start now.

    Attributes:
        lines: one line per shape.
        heads: the line that each line's first stands in.
        order: these firsts, the best standing first.
        shapes: where each candidate stands, and for how many jobs.
        choosy: how many lines are of jobs that cannot go on on every machine.
    """

    lines: dict[Shape, Line] = field(default_factory=dict)
    heads: dict[Place, Line] = field(default_factory=dict)
    order: list[Place] = field(default_factory=list)
    shapes: dict[tuple[EntryId, JobId | None], tuple[Shape, Place, int]] = field(default_factory=dict)
    choosy: int = 0

    def add(self, shape: Shape, candidate: Candidate, jobs: int) -> None:
        """Put *candidate*, which stands for so many *jobs* and is in no line, in line."""
        line = self.lines.get(shape)
        if line is None:
            line = self.lines[shape] = Line(shape, shape.resources, shape.most)
            self.choosy += shape.is_choosy
        before = line.firsts[0] if line.firsts else None
        line.put(candidate)
        line.jobs += jobs
        self.shapes[candidate.entry, candidate.job] = (shape, candidate.place, jobs)
        self._move_head(line, before)

    def take(self, entry: EntryId, job: JobId | None, jobs: int | None = None) -> None:
        """Take so many *jobs* (None: all) of a candidate out of its line; nothing happens if it is in none."""
        standing = self.shapes.get((entry, job))
        if standing is None:
            return
        shape, place, there = standing
        taken = there if jobs is None else min(jobs, there)
        line = self.lines[shape]
        line.jobs -= taken
        if taken < there:
            self.shapes[entry, job] = (shape, place, there - taken)
            return
        before = line.firsts[0]
        del self.shapes[entry, job]
        line.drop(place)
        self._move_head(line, before)
        if not line.firsts:
            del self.lines[shape]
            self.choosy -= shape.is_choosy

    def _move_head(self, line: Line, before: Place | None) -> None:
        now = line.firsts[0] if line.firsts else None
        if now == before:
            return
        if before is not None:
            del self.heads[before]
            del self.order[bisect_left(self.order, before)]
        if now is not None:
            self.heads[now] = line
            insort(self.order, now)

    def fitting(
        self, room: Resources, user: str = "", machine: Machine | None = None, node: NodeName | None = None
    ) -> Iterator[tuple[Place, Line]]:
        """Yield the lines whose jobs fit into *room* on *machine*, which is *node*, with their firsts, the best standing first; only those of *user* if one is named."""
        for head in self.order:
            line = self.heads[head]
            need = line.need
            fits = need.cores <= room.cores and need.memory <= room.memory and need.gpus <= room.gpus
            if fits and (not user or line.shape.user == user) and line.suits(machine, node):
                yield head, line

    def count_before(self, standing: Millis) -> int:
        """Return how many lines have a first that stands before *standing*."""
        return bisect_left(self.order, standing, key=_STANDING)

    def fitting_among(
        self,
        begin: int,
        end: int,
        room: Resources,
        user: str = "",
        machine: Machine | None = None,
        node: NodeName | None = None,
    ) -> list[Line]:
        """Return what `fitting` would, of those lines whose firsts are number *begin* to *end* in the order."""
        cores, memory, gpus, heads = room.cores, room.memory, room.gpus, self.heads
        lines = [heads[head] for head in self.order[begin:end]]
        if user:
            lines = [line for line in lines if line.shape.user == user]
        if self.choosy:
            lines = [line for line in lines if line.suits(machine, node)]
        return [
            line for line in lines if (need := line.need).cores <= cores and need.memory <= memory and need.gpus <= gpus
        ]

    def ahead_of(self, entry: EntryId, job: JobId | None) -> int | None:
        """Return how many candidates of every shape have a better standing, None if this one is not in line."""
        if (entry, job) not in self.shapes:
            return None
        _, place, _ = self.shapes[entry, job]
        return sum(bisect_left(alike, place) for line in self.lines.values() for alike in line.alike.values())

    @property
    def jobs(self) -> int:
        """How many jobs may start now."""
        return sum(line.jobs for line in self.lines.values())
