"""Which nodes a main job gets: labels of a decision that counted processors, and never a reason for one."""

import heapq
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import assert_never

from idleq.ids import AllocationId
from idleq.scheduler.core.resources import Resources
from idleq.simulator.jobs import MainJob, NodeSpec

Parts = tuple[tuple[int, int], ...]
"""What a main job holds: nodes by their place in the site's list, and units of each."""


class SizeUnit(StrEnum):
    """What a main job's size counts."""

    #: Whole nodes; a node is one unit.
    NODES = "nodes"
    #: Cores, a node's memory and GPUs going with them in proportion; a job may spread over nodes.
    CORES = "cores"


class Placement(StrEnum):
    """Which of the nodes with room a main job gets; where each node is one unit, it comes to the same."""

    #: The first ones in the site's list.
    LOWEST = "lowest"
    #: Those that it leaves with the fewest free units, and as few of them as will do; ties go by the list.
    BEST_FIT = "best-fit"


def units_of(node: NodeSpec, sharing: SizeUnit) -> int:
    """Return how many units main jobs can hold of *node*."""
    return 1 if sharing is SizeUnit.NODES else node.resources.cores


def room_beside(node: Resources, used: int, units: int) -> Resources:
    """Return what main jobs that hold *used* of a node's *units* leave of it."""
    left = units - used
    return Resources(node.cores * left // units, node.memory * left // units, node.gpus * left // units)


def place(free_units: Sequence[int], size: int, placement: Placement = Placement.LOWEST) -> Parts:
    """Take *size* units, of which so many are free on each node."""
    match placement:
        case Placement.LOWEST:
            return _lowest(free_units, size)
        case Placement.BEST_FIT:
            return _best_fit(free_units, [node for node, free in enumerate(free_units) if free], size)
        case _:
            assert_never(placement)


def _lowest(free_units: Sequence[int], size: int) -> Parts:
    parts: list[tuple[int, int]] = []
    for node, free in enumerate(free_units):
        if size == 0:
            break
        if free:
            taken = min(free, size)
            parts.append((node, taken))
            size -= taken
    assert size == 0, "the queue starts no job that does not fit"
    return tuple(parts)


def _best_fit(free_units: Sequence[int], some_free: Iterable[int], size: int) -> Parts:
    """Fill the emptiest of the nodes *some_free* as long as none has room for all that is left, then take the fullest that has."""
    emptiest_first = sorted(some_free, key=lambda node: (-free_units[node], node))
    parts: list[tuple[int, int]] = []
    for place_in_order, node in enumerate(emptiest_first):
        if free_units[node] >= size:
            enough = (one for one in emptiest_first[place_in_order:] if free_units[one] >= size)
            return (*parts, (min(enough, key=lambda one: (free_units[one], one)), size))
        parts.append((node, free_units[node]))
        size -= free_units[node]
    raise AssertionError("the queue starts no job that does not fit")


def planned_starts(
    planned: Iterable[tuple[int, MainJob]],
    free_units: Sequence[int],
    ends: Iterable[tuple[int, Parts]],
    placement: Placement = Placement.LOWEST,
) -> dict[int, int]:
    """Return when the next main job is planned to start on each node that has one.

    *planned* is by start; *ends* says when, by their limits, running jobs give up what they hold. In this order the
    counted plan always finds its nodes.
    """
    free = list(free_units)
    releases = list(ends)
    heapq.heapify(releases)
    some_free = [node for node, units in enumerate(free) if units]
    first: dict[int, int] = {}
    for start, job in planned:
        if len(first) == len(free):
            # Later starts cannot be any node's first.
            break
        while releases and releases[0][0] <= start:
            for node, units in heapq.heappop(releases)[1]:
                if not free[node]:
                    some_free.append(node)
                free[node] += units
        some_free.sort()
        parts = _take(free, some_free, job.size, placement)
        for node, _ in parts:
            first.setdefault(node, start)
        heapq.heappush(releases, (start + job.limit, parts))
    return first


def planned_starts_on_whole_nodes(
    planned: Iterable[tuple[int, MainJob]], free: Iterable[int], ends: Iterable[tuple[int, Sequence[int]]], nodes: int
) -> dict[int, int]:
    """Do as `planned_starts` where each of so many *nodes* is one unit; *free* and *ends* name the nodes."""
    some_free = sorted(free)
    releases = list(ends)
    heapq.heapify(releases)
    first: dict[int, int] = {}
    without = set(range(nodes))
    for start, job in planned:
        if not without:
            break
        if releases and releases[0][0] <= start:
            while releases and releases[0][0] <= start:
                some_free += heapq.heappop(releases)[1]
            some_free.sort()
        taken = some_free[: job.size]
        assert len(taken) == job.size, "the plan starts no job that does not fit"
        del some_free[: job.size]
        if new := without.intersection(taken):
            first.update(dict.fromkeys(new, start))
            without -= new
        heapq.heappush(releases, (start + job.limit, taken))
    return first


def _take(free: list[int], some_free: list[int], size: int, placement: Placement) -> Parts:
    """Do as `place`, with what is left in *free*; *some_free* are the nodes with free units, in order."""
    if placement is Placement.LOWEST:
        return _take_lowest(free, some_free, size)
    parts = _best_fit(free, some_free, size)
    for node, taken in parts:
        free[node] -= taken
    some_free[:] = [node for node in some_free if free[node]]
    return parts


def _take_lowest(free: list[int], some_free: list[int], size: int) -> Parts:
    parts: list[tuple[int, int]] = []
    used_up = 0
    for node in some_free:
        if size == 0:
            break
        taken = min(free[node], size)
        parts.append((node, taken))
        size -= taken
        free[node] -= taken
        used_up += not free[node]
    del some_free[:used_up]
    assert size == 0, "the plan starts no job that does not fit"
    return tuple(parts)


def must_leave(room: Resources, guests: Iterable[tuple[AllocationId, Resources]]) -> list[AllocationId]:
    """Return which of *guests* no longer fit in *room*; those named first stay first."""
    leaving: list[AllocationId] = []
    for allocation, resources in guests:
        if resources.fits_in(room):
            room -= resources
        else:
            leaving.append(allocation)
    return leaving
