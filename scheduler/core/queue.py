"""What may start, indexed by what a gap can hold: one ordered line per shape, and an array is one place in it."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter

from idleq.ids import EntryId, JobId, Millis
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import FreezeMethod, JobSpec

UNTOUCHED = 2**62


@dataclass(frozen=True, slots=True, order=True)
class Place:
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


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides whether a gap can hold a job, and how well."""

    resources: Resources
    freeze: FreezeMethod
    hours: int

    @classmethod
    def of(cls, spec: JobSpec) -> "Shape":
        """Return the shape of jobs like *spec*; expected run times count by their power of two."""
        hours = -1 if spec.expected_ms is None else spec.expected_ms.bit_length()
        return cls(spec.resources, spec.freeze, hours)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody in line: one job that has started before, or (job None) what of an entry never has."""

    place: Place
    entry: EntryId
    job: JobId | None


@dataclass(slots=True)
class Line:
    """All of one *shape*, first to go first; *size* is the line's own place among the others.

    *need* is the shape's, kept at hand: every choice goes through all the lines.
    """

    shape: Shape
    size: tuple[int, int]
    need: Resources
    places: list[Place] = field(default_factory=list)
    candidates: dict[Place, Candidate] = field(default_factory=dict)
    jobs: int = 0

    def first(self, count: int) -> Iterator[Candidate]:
        """Yield the first *count* who stand here."""
        return (self.candidates[place] for place in islice(self.places, count))


_SIZE: Callable[[tuple[tuple[int, int], Line]], tuple[int, int]] = itemgetter(0)


@dataclass(slots=True)
class Queue:
    """Every job that may start now.

    Attributes:
        lines: one line per shape.
        by_size: the lines, those that need the most cores first (a number of their own breaks ties).
        shapes: where each candidate stands, and for how many jobs.
        numbered: how many shapes there have ever been.
    """

    lines: dict[Shape, Line] = field(default_factory=dict)
    by_size: list[tuple[tuple[int, int], Line]] = field(default_factory=list)
    shapes: dict[tuple[EntryId, JobId | None], tuple[Shape, Place, int]] = field(default_factory=dict)
    numbered: int = 0

    def add(self, shape: Shape, candidate: Candidate, jobs: int) -> None:
        """Put *candidate*, which stands for so many *jobs*, in line; if it is there already, it stands for these too."""
        key = (candidate.entry, candidate.job)
        line = self.lines.get(shape) or self._open(shape)
        line.jobs += jobs
        if key in self.shapes:
            _, place, before = self.shapes[key]
            self.shapes[key] = (shape, place, before + jobs)
            return
        insort(line.places, candidate.place)
        line.candidates[candidate.place] = candidate
        self.shapes[key] = (shape, candidate.place, jobs)

    def take(self, entry: EntryId, job: JobId | None, jobs: int | None = None) -> None:
        """Take so many *jobs* (None: all) of a candidate out of its line; nothing happens if it is in none."""
        if (entry, job) not in self.shapes:
            return
        shape, place, there = self.shapes[entry, job]
        taken = there if jobs is None else min(jobs, there)
        line = self.lines[shape]
        line.jobs -= taken
        if taken < there:
            self.shapes[entry, job] = (shape, place, there - taken)
            return
        del self.shapes[entry, job]
        del line.candidates[place]
        del line.places[bisect_left(line.places, place)]
        if not line.places:
            del self.lines[shape]
            del self.by_size[bisect_left(self.by_size, line.size, key=_SIZE)]

    def _open(self, shape: Shape) -> Line:
        self.numbered += 1
        line = self.lines[shape] = Line(shape, (-shape.resources.cores, self.numbered), shape.resources)
        insort(self.by_size, (line.size, line), key=_SIZE)
        return line

    def fitting(self, room: Resources) -> Iterator[Line]:
        """Yield the lines whose jobs fit into *room*, those that need the most cores first."""
        first = bisect_left(self.by_size, (-room.cores, 0), key=_SIZE)
        for _, line in islice(self.by_size, first, None):
            need = line.need
            if need.memory <= room.memory and need.gpus <= room.gpus:
                yield line

    def ahead_of(self, entry: EntryId, job: JobId | None) -> int | None:
        """Return how many candidates of every shape have a better standing, None if this one is not in line."""
        if (entry, job) not in self.shapes:
            return None
        _, place, _ = self.shapes[entry, job]
        return sum(bisect_left(line.places, place) for line in self.lines.values())

    @property
    def jobs(self) -> int:
        """How many jobs may start now."""
        return sum(line.jobs for line in self.lines.values())
