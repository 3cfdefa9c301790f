"""Which main jobs had to wait for guests, by Slurm's own records: when guests were told to make room, and what began there then.

Slurm counts in seconds, and so does this.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.inputs import MainJobStarted
from idleq.scheduler.slurm.hostlist import expand
from idleq.scheduler.slurm.records import JobRecord, instant
from idleq.scheduler.slurm.view import NEVER

IsOurs = Callable[[JobRecord], bool]

LATELY_MS = Millis(60_000)
"""What begins later where guests have left did not wait for them, as a rule; and Slurm is asked no longer than this what has ended there."""

TOGETHER_MS = Millis(10_000)
"""Main jobs that begin on a node within so long after the first had waited for the same guests; later ones may have for each other."""


@dataclass(frozen=True, slots=True)
class Eviction:
    """Guests were told at *told_at* to leave a node; they had left it at *left_at* (None: not yet)."""

    told_at: Millis
    left_at: Millis | None


@dataclass(frozen=True, slots=True)
class Room:
    """What guests have left to main jobs, of which the first began at *since*; *began* are their numbers."""

    eviction: Eviction
    since: Millis
    began: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Evictions:
    """What is known of guests that had to leave.

    Attributes:
        awaited: where no main job has begun since.
        rooms: where one has begun, and more may that waited for the same guests.
        settled: until when all that was told on each node is settled: Slurm shows what is over for minutes, and where guests
            overran their grace it says later that they were told when that was over.
    """

    awaited: Mapping[NodeName, Eviction] = field(default_factory=dict)
    rooms: Mapping[NodeName, Room] = field(default_factory=dict)
    settled: Mapping[NodeName, Millis] = field(default_factory=dict)


def follow(
    known: Evictions, jobs: Iterable[JobRecord], is_ours: IsOurs, bound_ms: Millis, now: Millis
) -> tuple[Evictions, tuple[MainJobStarted, ...]]:
    """Return what is known after *jobs*, and which main jobs have begun where guests had to leave; *bound_ms* is what they may wait."""
    began = [job for job in jobs if not job.is_waiting]
    ours = [job for job in began if is_ours(job)]
    awaited, rooms, settled = _noted(known, ours), dict(known.rooms), dict(known.settled)
    given_back = {node: _given_back_at(node, eviction, ours) for node, eviction in awaited.items()}
    starts: list[MainJobStarted] = []
    for start, job in _main_starts(began, [*awaited.values(), *(room.eviction for room in rooms.values())], is_ours):
        where = expand(job.nodes)
        first = [node for node in where if node in awaited and awaited[node].told_at <= start <= given_back[node]]
        rooms |= {node: Room(awaited.pop(node), start) for node in first}
        settled |= dict.fromkeys(first, start)
        new = [node for node in where if node in rooms and _is_new(rooms[node], start, job)]
        rooms |= {node: replace(rooms[node], began=rooms[node].began | {job.job_id}) for node in new}
        starts += _held_up(job, start, {node: rooms[node].eviction for node in new}, bound_ms)
    for node in [node for node in awaited if given_back[node] < NEVER]:
        settled[node] = awaited.pop(node).told_at
    rooms = {node: room for node, room in rooms.items() if now <= room.since + LATELY_MS}
    return Evictions(awaited, rooms, settled), tuple(starts)


def lately_left(known: Evictions, jobs: Iterable[JobRecord], is_ours: IsOurs, now: Millis) -> frozenset[NodeName]:
    """Return the nodes that guests had to leave in the last minute, by what is *known* and *jobs*, and where no main job was seen to begin.

    One may have come and gone between two looks.
    """
    awaited = _noted(known, [job for job in jobs if not job.is_waiting and is_ours(job)])
    return frozenset(
        node
        for node, eviction in awaited.items()
        if eviction.left_at is not None and now - eviction.left_at <= LATELY_MS
    )


def _main_starts(
    began: Iterable[JobRecord], awaited: Collection[Eviction], is_ours: IsOurs
) -> list[tuple[Millis, JobRecord]]:
    """Return the main jobs that began after the first guests of *awaited* were told to leave, in the order of their starts."""
    if not awaited:
        return []  # nearly always, and a site has thousands of jobs
    first = min(eviction.told_at for eviction in awaited)
    starts = ((instant(job.start_time), job) for job in began if not is_ours(job))
    found = [(start, job) for start, job in starts if start is not None and start >= first]
    return sorted(found, key=lambda found: (found[0], found[1].job_id))


def _noted(known: Evictions, ours: Iterable[JobRecord]) -> dict[NodeName, Eviction]:
    """Return the evictions that are not settled, with those of *ours*; of several on one node the first counts."""
    awaited = dict(known.awaited)
    for job in ours:
        told_at = _told_at(job)
        if told_at is None:
            continue
        left_at = None if job.is_on_nodes else instant(job.end_time)
        for node in expand(job.nodes):
            if told_at <= known.settled.get(node, 0):
                continue
            before = awaited.get(node)
            awaited[node] = Eviction(told_at if before is None else min(before.told_at, told_at), left_at)
    return awaited


def _told_at(job: JobRecord) -> Millis | None:
    """Return when *job* was told to make room, None if it was not.

    Older Slurms do not say so where there is no grace: then it was when it was ended.
    """
    said = instant(job.preempt_time)
    return instant(job.end_time) if said is None and "PREEMPTED" in job.states else said


def _given_back_at(node: NodeName, eviction: Eviction, ours: Iterable[JobRecord]) -> Millis:
    """Return when guests were let onto *node* again, `NEVER` if they were not: from then on nobody waits for it any more."""
    starts = (
        instant(job.start_time) or Millis(0) for job in ours if _told_at(job) is None and node in expand(job.nodes)
    )
    return min((start for start in starts if start > eviction.told_at), default=NEVER)


def _is_new(room: Room, start: Millis, job: JobRecord) -> bool:
    """Whether *job* is one of those that the *room* was made for, which is not known yet."""
    return room.since <= start <= room.since + TOGETHER_MS and job.job_id not in room.began


def _held_up(
    job: JobRecord, start: Millis, left: Mapping[NodeName, Eviction], bound_ms: Millis
) -> Iterator[MainJobStarted]:
    """Yield that *job* was held up, unless it came only after the guests had left, or began when they had long done so."""
    since = max(Millis(0), instant(job.eligible_time) or Millis(0))
    latest = Millis(start - max(LATELY_MS, bound_ms))
    for_it = [
        eviction for eviction in left.values() if eviction.left_at is None or eviction.left_at >= max(since, latest)
    ]
    if not for_it:
        return
    told_at = min(eviction.told_at for eviction in for_it)
    yield MainJobStarted(
        main_job=str(job.job_id),
        nodes=tuple(left),
        waited_ms=Millis(max(0, start - max(told_at, since))),
        bound_ms=bound_ms,
        guests_alive=0,  # no job is started before the one on its cores is over, whose processes are all dead then
    )
