"""Tail waste: gap time after the last guest had left, reckoned as the utilisation report does (docs/explanation/utilisation.md)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter

GUEST_LEAVES, MAIN_ENDS, MAIN_STARTS, GUEST_COMES = range(4)
"""In this order within one instant."""

Held = tuple[int, int, int, int]
"""Some cores of a node that somebody held: node, since, until, cores."""


@dataclass(slots=True)
class _Node:
    """The free cores of one node, those that came free first in front; guests sit on these."""

    left_at: list[int | None] = field(default_factory=list)
    held: int = 0

    def step(self, kind: int, cores: int, at: int) -> Iterator[int]:
        """Take in one event; yield since when each core lies idle that a guest had left, as main jobs take it."""
        if kind == MAIN_ENDS:
            self.left_at.extend([None] * cores)
        elif kind == GUEST_COMES:
            self.held += cores
        elif kind == GUEST_LEAVES:
            self.held -= cores
            self.left_at[self.held : self.held + cores] = [at] * len(self.left_at[self.held : self.held + cores])
        else:
            first = max(0, len(self.left_at) - cores)
            yield from (left for left in self.left_at[max(first, self.held) :] if left is not None)
            del self.left_at[first:]


def tail_waste(
    node_cores: int, nodes: int, main: Iterable[Held], guests: Iterable[Held], since: int, until: int
) -> int:
    """Return the core-milliseconds of tails that lie between *since* and *until*, of gaps that closed by then."""
    events: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for node, begin, end, cores in main:
        events[node] += [(begin, MAIN_STARTS, cores), (end, MAIN_ENDS, cores)]
    for node, begin, end, cores in guests:
        events[node] += [(begin, GUEST_COMES, cores), (end, GUEST_LEAVES, cores)]
    waste = 0
    for number in range(nodes):
        cores_there = _Node(left_at=[None] * node_cores)
        for at, kind, cores in sorted(events[number], key=itemgetter(0, 1)):
            if at > until:
                break
            waste += sum(max(0, at - max(left, since)) for left in cores_there.step(kind, cores, at))
    return waste
