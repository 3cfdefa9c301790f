"""One node's time cut where anything changes: who holds how many of its cores."""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

from idleq.ids import Millis
from idleq.scheduler.report.segment import KINDS, OVERHEAD, Kind, Segment
from idleq.scheduler.report.timeline import NodeStep

_INDEX = {kind: index for index, kind in enumerate(KINDS)}

# Where main jobs and guests are seen on the same cores at once, main jobs count; of the guests the overhead counts first,
# so that no useful work is claimed that the cores were not there for.
_CLAIM_ORDER = tuple(_INDEX[kind] for kind in (*OVERHEAD, Kind.UNSAVED, Kind.USEFUL))

_NO_GUESTS = (0,) * len(KINDS)


class Slice(NamedTuple):
    """A stretch in which nothing changes on the node.

    Attributes:
        since: from when.
        until: up to when.
        cores: how many of its cores count.
        main: how many of them main jobs hold.
        held: how many guests hold of what main jobs leave.
        guests: the same by kind (in the order of KINDS).
        crowded: how many more guests were still seen on than main jobs left.
        main_job: the main jobs' names.
        is_up: whether jobs may be started on the node.
    """

    since: Millis
    until: Millis
    cores: int
    main: int
    held: int
    guests: tuple[int, ...]
    crowded: int
    main_job: str
    is_up: bool

    @property
    def free(self) -> int:
        """What main jobs leave."""
        return self.cores - self.main


def slices(steps: Iterable[NodeStep], segments: Iterable[Segment], until: Millis) -> Iterator[Slice]:
    """Yield the node's time from its first step to *until*, in order and without gaps."""
    changes: list[tuple[Millis, int, int]] = []
    for segment in segments:
        for kind, since, end in segment.phases():
            changes.append((since, _INDEX[kind], segment.cores))
            changes.append((end, _INDEX[kind], -segment.cores))
    changes.sort(key=itemgetter(0))
    wanted = [0] * len(KINDS)
    step: NodeStep | None = None
    at = Millis(0)
    for moment, change in _merged(steps, changes):
        if step is not None and moment > at:
            yield _slice(at, min(moment, until), step, wanted)
        at = moment
        if at >= until:
            return
        if isinstance(change, NodeStep):
            step = change
        else:
            wanted[change[1]] += change[2]
    if step is not None and at < until:
        yield _slice(at, until, step, wanted)


def _merged(
    steps: Iterable[NodeStep], changes: list[tuple[Millis, int, int]]
) -> Iterator[tuple[Millis, NodeStep | tuple[Millis, int, int]]]:
    """Merge two sorted streams by time."""
    place = 0
    for step in steps:
        while place < len(changes) and changes[place][0] < step.at:
            yield changes[place][0], changes[place]
            place += 1
        yield step.at, step
    for change in changes[place:]:
        yield change[0], change


def _slice(since: Millis, until: Millis, step: NodeStep, wanted: list[int]) -> Slice:
    room = step.cores - step.busy
    total = sum(wanted)
    if total == 0:
        guests = _NO_GUESTS
    elif total <= room:
        guests = tuple(wanted)
    else:
        guests = _squeezed(wanted, room)
    held = min(total, room)
    return Slice(since, until, step.cores, step.busy, held, guests, total - held, step.main_job, step.is_up)


def _squeezed(wanted: list[int], room: int) -> tuple[int, ...]:
    kept = [0] * len(wanted)
    for index in _CLAIM_ORDER:
        kept[index] = min(wanted[index], room)
        room -= kept[index]
    return tuple(kept)
