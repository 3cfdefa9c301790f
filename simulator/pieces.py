"""Stretches of time with so many cores each, kept as columns: who held what, and how much of it lies in any span."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, auto

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Part(IntEnum):
    """What cores were held for; the words of the utilisation report."""

    #: By a main job.
    MAIN = auto()
    #: By a main job that a failing node ended: it begins anew.
    KILLED = auto()
    #: Guests' work that survived.
    USEFUL = auto()
    #: Guests' work since the last save of a segment that still ran when the measuring ended.
    UNSAVED = auto()
    #: From a segment's begin until its program was up, without the thaw.
    START = auto()
    #: Bringing a snapshot to the node.
    THAW = auto()
    #: Standing still for saves while the job goes on.
    SAVE = auto()
    #: From the signal until the snapshot was published.
    FREEZE = auto()
    #: Work that has to be done again.
    LOST = auto()


OVERHEAD = (Part.START, Part.THAW, Part.SAVE, Part.FREEZE, Part.LOST)
"""What guests held cores for besides their work."""


@dataclass(slots=True)
class Pieces:
    """Stretches, in the order in which they became known; *cores* may be a part of a core: a mean over the stretch."""

    part: "array[int]" = field(default_factory=lambda: array("b"))
    node: "array[int]" = field(default_factory=lambda: array("i"))
    since: "array[int]" = field(default_factory=lambda: array("q"))
    until: "array[int]" = field(default_factory=lambda: array("q"))
    cores: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, part: Part, node: int, since: int, until: int, cores: float) -> None:
        """Add a stretch, unless it is empty."""
        if until > since and cores > 0:
            self.part.append(part)
            self.node.append(node)
            self.since.append(since)
            self.until.append(until)
            self.cores.append(cores)

    def kill_at(self, place: int, until: int) -> None:
        """Let the stretch that was added as number *place* (from 0 on) end at *until* already, for nothing."""
        self.part[place], self.until[place] = Part.KILLED, until

    def __len__(self) -> int:
        return len(self.part)

    def areas(self, edges: Sequence[int] | Ints) -> dict[Part, Floats]:
        """Return, for each part, the core-milliseconds between each two of *edges*, which ascend."""
        parts, cores = np.asarray(self.part), np.asarray(self.cores)
        since, until = np.asarray(self.since, dtype=np.int64), np.asarray(self.until, dtype=np.int64)
        found = {}
        for part in Part:
            chosen = parts == part
            found[part] = areas(since[chosen], until[chosen], cores[chosen], np.asarray(edges, dtype=np.int64))
        return found

    def within(self, begin: int, end: int) -> Iterable[tuple[Part, int, int, int, float]]:
        """Yield the stretches that lie between *begin* and *end*, cut off there: part, node, since, until, cores."""
        since, until = np.asarray(self.since, dtype=np.int64), np.asarray(self.until, dtype=np.int64)
        for place in np.flatnonzero((since < end) & (until > begin)).tolist():
            low, high = max(begin, self.since[place]), min(end, self.until[place])
            yield Part(self.part[place]), self.node[place], low, high, self.cores[place]


def areas(since: Ints, until: Ints, cores: Floats, edges: Ints) -> Floats:
    """Return the areas of stretches between each two of *edges*: differences of their integral up to each edge."""
    if not len(since) or len(edges) == 0:
        return np.zeros(max(0, len(edges) - 1))
    # From the first edge on: smaller numbers are more exact.
    low = np.maximum(since, edges[0]) - edges[0]
    high = np.maximum(until, edges[0]) - edges[0]
    at = edges - edges[0]
    between: Floats = np.diff(_risen(low, cores, at) - _risen(high, cores, at))
    return between


def _risen(begin: Ints, cores: Floats, at: Ints) -> Floats:
    """Return, for each time of *at*, the area of stretches that have begun at *begin* and never end."""
    order = np.argsort(begin, kind="stable")
    begun, weights = begin[order], cores[order]
    count = np.searchsorted(begun, at, side="right")
    level = np.concatenate([[0.0], np.cumsum(weights)])[count]
    missed = np.concatenate([[0.0], np.cumsum(weights * begun)])[count]
    risen: Floats = np.asarray(level * at - missed, dtype=np.float64)
    return risen
