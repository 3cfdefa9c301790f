"""What guests could have harvested, and what they did: the gaps of the run without guests, and progress that survived."""

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from simpy import Environment

from idleq.ids import EntryId, JobId, Millis, entry_of
from idleq.scheduler.core.facts import (
    EntryAdded,
    Fact,
    JobDone,
    SegmentFrozen,
    SegmentLost,
    SegmentProgressed,
    SegmentStarted,
)
from idleq.scheduler.core.submission import JobSpec
from idleq.simulator.events import MainStarted
from idleq.simulator.jobs import MainJob
from idleq.simulator.placement import Parts, Placement
from idleq.simulator.queueing import MainQueue, Policy, Semantics, easy
from idleq.simulator.queueing.policy import chooser


class IdleGap(NamedTuple):
    """Some *units* of the node at that place of the site's list that main jobs left free together and took together."""

    node: int
    since: Millis
    until: Millis
    units: int

    @property
    def length_ms(self) -> int:
        """How long it lasted."""
        return self.until - self.since


class _OpenGaps:
    """The free units of each node, those that came free last on top: they are taken first."""

    def __init__(self, units: Sequence[int]) -> None:
        self.free = list(units)
        self.open: list[list[tuple[int, int]]] = [[(0, number)] if number else [] for number in units]
        self.closed: list[IdleGap] = []

    def take(self, node: int, units: int, now: int) -> None:
        self.free[node] -= units
        while units:
            since, there = self.open[node].pop()
            taken = min(there, units)
            if there > taken:
                self.open[node].append((since, there - taken))
            if now > since:
                self.closed.append(IdleGap(node, Millis(since), Millis(now), taken))
            units -= taken

    def give(self, node: int, units: int, now: int) -> None:
        self.free[node] += units
        self.open[node].append((now, units))


def gaps_without_guests(
    units: Sequence[int],
    jobs: Iterable[MainJob],
    until: Millis,
    policy: Policy = easy,
    placement: Placement = Placement.LOWEST,
    semantics: Semantics = Semantics.PER_TIMESTAMP,
) -> list[IdleGap]:
    """Return the gaps that main jobs alone leave on nodes of so many *units*; those still open end at *until*."""
    env = Environment()
    gaps = _OpenGaps(units)
    parts: dict[int, Parts] = {}
    chosen = chooser(policy, lambda: gaps.free, placement)

    def started(job: MainJob) -> bool:
        parts[job.id] = chosen(job)
        for node, taken in parts[job.id]:
            gaps.take(node, taken, int(env.now))
        return True

    def ended(job: MainJob) -> None:
        for node, taken in parts.pop(job.id):
            gaps.give(node, taken, int(env.now))

    MainQueue(env, jobs, sum(units), policy, semantics=semantics, has_nodes=True, gate=started, on_end=ended)
    while env.peek() <= until:
        env.step()
    for node, free in enumerate(gaps.free):
        gaps.take(node, free, until)
    return gaps.closed


def gaps_between(held: Iterable[tuple[int, int, int]], units: int, until: Millis) -> list[IdleGap]:
    """Return the gaps that a machine of *units* has where it is *held*; those still open end at *until*.

    Each of *held* is since when until when so many units are, by since; it gets the lowest that are free. A gap's node is its first unit.
    """
    free = [(0, units, 0)]
    taken: list[tuple[int, int, list[tuple[int, int]]]] = []
    gaps: list[IdleGap] = []
    for number, (since, end, size) in enumerate(held):
        if since >= until:
            break
        _release(free, taken, since)
        if end > since:
            heappush(taken, (end, number, _lowest(free, size, since, gaps)))
    _release(free, taken, until)
    _lowest(free, sum(count for _, count, _ in free), until, gaps)
    return gaps


def _release(free: list[tuple[int, int, int]], taken: list[tuple[int, int, list[tuple[int, int]]]], now: int) -> None:
    """Put into *free* (first unit, how many, since when), in its order, what of *taken* has ended by *now*."""
    while taken and taken[0][0] <= now:
        end, _, parts = heappop(taken)
        for first, count in parts:
            insort(free, (first, count, end))


def _lowest(free: list[tuple[int, int, int]], size: int, now: int, gaps: list[IdleGap]) -> list[tuple[int, int]]:
    """Take the *size* lowest units out of *free*, neighbours as one part, and add the gaps that end so to *gaps*."""
    parts: list[tuple[int, int]] = []
    emptied = 0
    while size:
        first, count, since = free[emptied]
        used = min(size, count)
        if used == count:
            emptied += 1
        else:
            free[emptied] = (first + used, count - used, since)
        if now > since:
            gaps.append(IdleGap(first, Millis(since), Millis(now), used))
        if parts and sum(parts[-1]) == first:
            first, merged = parts.pop()
            used, size = used + merged, size + merged
        parts.append((first, used))
        size -= used
    del free[:emptied]
    return parts


def harvestable_ms(gaps: Iterable[IdleGap], cost_ms: int) -> int:
    """Return the sum over *gaps* of what is left of each after a thaw and a freeze of *cost_ms* together, times its units."""
    return sum(max(0, gap.length_ms - cost_ms) * gap.units for gap in gaps)


class Clairvoyant:
    """Foresight of how the run without guests went: what an oracle knows."""

    def __init__(self, gaps: Iterable[IdleGap]) -> None:
        self._ends: dict[int, list[int]] = {}
        for gap in gaps:
            self._ends.setdefault(gap.node, []).append(gap.until)
        for ends in self._ends.values():
            ends.sort()

    def __call__(self, now: Millis) -> dict[int, int]:
        """Return when the next gap of each node ends."""
        found: dict[int, int] = {}
        for node, ends in self._ends.items():
            place_in_list = bisect_right(ends, now)
            if place_in_list < len(ends):
                found[node] = ends[place_in_list]
        return found


_COUNTED = frozenset((EntryAdded, JobDone, SegmentFrozen, SegmentLost, SegmentProgressed, SegmentStarted))


@dataclass(slots=True)
class Harvest:
    """Reckons, fact by fact, what of guests' work has survived; listens to an experiment.

    Attributes:
        segments: how many have ended.
        frozen, lost, done: how.
        saved_ms: what each unfinished job's newest snapshot holds.
    """

    segments: int = 0
    frozen: int = 0
    lost: int = 0
    done: int = 0
    saved_ms: dict[JobId, Millis] = field(default_factory=dict)
    _specs: dict[EntryId, JobSpec] = field(default_factory=dict)
    _done_core_ms: int = 0

    def saw_facts(self, _at: Millis, facts: tuple[Fact, ...], /) -> None:
        """Count *facts*."""
        for fact in facts:
            if type(fact) in _COUNTED:
                self.count(fact)

    def count(self, fact: Fact) -> None:
        """Count *fact*."""
        match fact:
            case SegmentProgressed(saved=saved) if saved is not None:
                self.saved_ms[fact.job] = saved.run_ms
            case SegmentStarted():
                self.saved_ms.setdefault(fact.job, Millis(0))
            case EntryAdded():
                self._specs[fact.entry] = fact.submission.spec
            case SegmentFrozen():
                self.segments, self.frozen = self.segments + 1, self.frozen + 1
                self.saved_ms[fact.job] = fact.snapshot.run_ms
            case SegmentLost():
                self.segments, self.lost = self.segments + 1, self.lost + 1
            case JobDone():
                self.segments, self.done = self.segments + 1, self.done + 1
                spec = self._spec(fact.job)
                run_ms = self.saved_ms.pop(fact.job, Millis(0)) if spec.expected_ms is None else spec.expected_ms
                self._done_core_ms += run_ms * spec.resources.cores
            case _:
                pass

    def saw_start(self, _at: Millis, _started: MainStarted, /) -> None:
        """Nothing: main jobs are no harvest."""

    def saw_kill(self, _at: Millis, _job: MainJob, /) -> None:
        """Nothing: main jobs are no harvest."""

    @property
    def useful_core_ms(self) -> int:
        """Guests' progress that survived, in core-milliseconds."""
        open_ms = sum(run_ms * self._spec(job).resources.cores for job, run_ms in self.saved_ms.items())
        return self._done_core_ms + open_ms

    def _spec(self, job: JobId) -> JobSpec:
        return self._specs[entry_of(job)]


def share(useful: float, harvestable: float) -> float | None:
    """Return the harvest, None where there was nothing to harvest."""
    return useful / harvestable if harvestable > 0 else None
