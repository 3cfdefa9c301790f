"""Which job a piece of a gap is given to: priority, then fit, then age, and age becomes priority so that nothing starves."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import chain, islice

from msgspec import Struct

from idleq.ids import Millis, NodeName
from idleq.machines import Machine
from idleq.scheduler.core.commands import Sharing
from idleq.scheduler.core.entry import Entry
from idleq.scheduler.core.job import Job
from idleq.scheduler.core.kind import Kinds
from idleq.scheduler.core.queue import Candidate, Line, Place
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.state import Allocation, State
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.core.turns import in_turn

LOOKED_AT = 64
"""Of those of one shape that are unlike, so many are always looked at: if the first do not pay here, the others hardly do."""

OTHERS_LOOKED_AT = 64
"""So many more are looked at where none of these pays, others each time, so that they hide nobody for ever."""


class Stretch(Struct, frozen=True, gc=False):
    """What a job would make of a gap.

    Attributes:
        useful_ms: progress it would make; 0 or less if the gap does not pay for it.
        overhead_ms: thaw, freeze and margin.
        ends_here: whether it would be done before the gap ends.
    """

    useful_ms: Millis
    overhead_ms: Millis
    ends_here: bool

    @property
    def pays(self) -> bool:
        """Whether more comes of it than it costs (a job that ends here always pays)."""
        return self.ends_here or self.useful_ms >= max(self.overhead_ms, 1)


def stretch(state: State, entry: Entry, job: Job | None, length_ms: Millis) -> Stretch:
    """Return what *job* of *entry* (None: a fresh one) would make of a gap of *length_ms*."""
    spec, policy = entry.submission.spec, state.policy
    size = job.snapshots[-1].bytes if job is not None and job.snapshots else None
    # What `State.typical` does, without a call: every choice looks at many candidates.
    typical = state.costs.typical(entry.kinds, size, policy.freeze_ms, policy.thaw_ms)
    thaw_ms = Millis(0) if size is None else typical.slow_thaw_ms
    run_ms = job.run_ms if job is not None else 0
    left_ms = None if spec.expected_ms is None else max(spec.expected_ms - run_ms, 0)
    if left_ms is not None and thaw_ms + left_ms <= length_ms:
        return Stretch(Millis(left_ms), thaw_ms, ends_here=True)
    if spec.freeze is FreezeMethod.NONE:
        # Nothing of it survives the gap's end: it is worth a try only if nobody knows how long it takes.
        return Stretch(length_ms if left_ms is None else Millis(0), Millis(0), ends_here=False)
    overhead = Millis(thaw_ms + typical.freeze_ms + policy.margin_ms)
    return Stretch(Millis(length_ms - overhead), overhead, ends_here=False)


def shortest_paying(state: State, candidate: Candidate, worth: Stretch) -> Millis:
    """Return the shortest gap that pays for *candidate*, for whom a longer one is *worth* something."""
    if not worth.ends_here:
        return Millis(2 * worth.overhead_ms)
    whole = Millis(worth.useful_ms + worth.overhead_ms)
    entry, job = entry_and_job(state, candidate)
    if entry.spec.freeze is FreezeMethod.NONE:
        return whole
    in_parts = stretch(state, entry, job, Millis(-1))  # in which nothing could end
    return min(whole, Millis(2 * in_parts.overhead_ms))


Rank = tuple[int, int, int, int, int]
"""Where a candidate stands for one piece of a gap; the smallest is taken.

First the level (priority, plus one for each patience it has waited), then the fit (core-milliseconds of progress that it
would make of the gap), both negative; then standing, entry and ordinal: who is longest in line, then who came first.
"""

Found = tuple[Rank, Candidate]

NONE_COMES = -(2**62)
"""Below every level."""


@dataclass(slots=True)
class Looks:
    """What is known of the queue while one length of one turn is given away: starting whoever was chosen changes one line only.

    Attributes:
        found: what was found in lines that were looked at, by their heads.
        machine: what the node is like.
        node: which one it is, None if that is not known.
        room, user: what the rest was made for.
        ranked: a heap of what was found in lines that fit into *room*.
        coming: the lines that fit and were not looked at yet, those first of whom most can come; *next* is the first.
        level: that of the heads that *coming* has got to.
        chosen: the line that was chosen from last.
        abilities: what can be done where they would start; None if that is not known.
    """

    found: dict[Place, Found | None] = field(default_factory=dict)
    machine: Machine | None = None
    node: NodeName | None = None
    room: Resources | None = None
    user: str = ""
    ranked: list[tuple[Rank, Candidate, Line]] = field(default_factory=list)
    coming: Iterator[Line] = field(default_factory=lambda: iter(()))
    next: Line | None = None
    level: int = 0
    chosen: Line | None = None
    abilities: frozenset[str] | None = None


def choose(
    state: State, room: Resources, length_ms: Millis, now: Millis, looks: Looks | None = None, user: str = ""
) -> Candidate | None:
    """Return who of the queue (of *user*, if one is named) is given *room* for *length_ms*, None if it pays for nobody.

    Whoever goes on choosing for that length in that turn keeps *looks*, and starts whom they `took`.
    """
    looks = Looks() if looks is None else looks
    if looks.user != user:
        looks.user, looks.room = user, None
    _look_into(looks, state, room, length_ms, now)
    while looks.next is not None and _may_be_better(looks, looks.next, length_ms):
        _rank(looks, state, looks.next, length_ms, now)
        looks.next = next(looks.coming, None)
    return looks.ranked[0][1] if looks.ranked else None


def took(looks: Looks) -> None:
    """Know that whoever was chosen is started: nobody else, so all other lines stay as they are."""
    _, _, line = heappop(looks.ranked)
    looks.found.pop(line.firsts[0], None)
    looks.chosen = line


def _look_into(looks: Looks, state: State, room: Resources, length_ms: Millis, now: Millis) -> None:
    """Begin anew if *room* is not what was looked into before; else only look again at the line that was chosen from."""
    line, looks.chosen = looks.chosen, None
    if looks.room != room:
        looks.room, looks.ranked = room, []
        looks.coming = _best_first(looks, state, room, length_ms, now)
        looks.next = next(looks.coming, None)
    elif line is not None and line.firsts and _level(line.firsts[0], now, state.policy.patience_ms) >= looks.level:
        # If its level is lower now, it is among those that come.
        _rank(looks, state, line, length_ms, now)


def _best_first(looks: Looks, state: State, room: Resources, length_ms: Millis, now: Millis) -> Iterator[Line]:
    """Yield the lines that fit into *room*: those with the highest heads first, of them those of whom most can come."""
    queue, patience_ms = state.queue, state.policy.patience_ms
    seen = 0
    while seen < len(queue.order):
        # The first in line has its line's highest level, so those of one level stand together.
        looks.level = _level(queue.order[seen], now, patience_ms)
        below = Millis(now - looks.level * patience_ms + 1)
        lines = queue.fitting_among(seen, queue.count_before(below), room, looks.user, looks.machine, looks.node)
        if len(lines) > 1:
            lines.sort(key=lambda line: line.most_of(length_ms), reverse=True)  # equals stay in their order
        yield from lines
        seen = queue.count_before(below)  # counted again: heads that were there may have gone
    looks.level = NONE_COMES


def _may_be_better(looks: Looks, line: Line, length_ms: Millis) -> bool:
    """Whether anybody in *line*, the first that comes, could be chosen rather than the best that is known."""
    if not looks.ranked:
        return True
    level, fit = looks.ranked[0][0][:2]
    # Of the lines that follow no more can come, or they are lower.
    return -looks.level < level or (-looks.level == level and line.most_of(length_ms) >= -fit)


def _rank(looks: Looks, state: State, line: Line, length_ms: Millis, now: Millis) -> None:
    """Look into *line*, and put whom it has for the gap where they belong."""
    head = line.firsts[0]
    if head not in looks.found:
        looks.found[head] = _first_that_pays(state, line, length_ms, now, looks.abilities)
    found = looks.found[head]
    if found is not None:
        heappush(looks.ranked, (*found, line))


def _level(place: Place, now: Millis, patience_ms: Millis) -> int:
    return (now - place.standing) // patience_ms


def _first_that_pays(
    state: State, line: Line, length_ms: Millis, now: Millis, abilities: frozenset[str] | None
) -> Found | None:
    """Return the first in *line* that would make more of the gap than it costs, with its rank."""
    found = first_paying(state, line, length_ms, abilities)
    if found is None:
        return None
    candidate, worth = found
    place = candidate.place
    level = _level(place, now, state.policy.patience_ms)
    fit = line.need.cores * worth.useful_ms
    return (-level, -fit, place.standing, place.entry, place.ordinal), candidate


def first_paying(
    state: State, line: Line, length_ms: Millis, abilities: frozenset[str] | None = None
) -> tuple[Candidate, Stretch] | None:
    """Return the first of those that are looked at in *line* for whom a gap of *length_ms* pays, and what it would make of it.

    Nobody in it is if they need what is not among *abilities* (None: not known). Of those that are alike, only the first is looked at.
    """
    if not line.is_for(abilities):
        return None
    candidates = line.candidates
    refused: Kinds | None = None
    size: int | None = None
    room_ms = length_ms
    for place in _looked_at(line.firsts, state.now):
        candidate = candidates[place]
        kinds, left_ms, weighs = candidate.like
        if kinds is refused and weighs == size and (left_ms is None or left_ms > room_ms):
            continue  # the gap would be to it what it was to the one before
        entry, job = entry_and_job(state, candidate)
        worth = stretch(state, entry, job, length_ms)
        if worth.pays:
            return candidate, worth
        refused, size = kinds, weighs
        thaw_ms = 0 if weighs is None else state.typical(entry, job).slow_thaw_ms
        room_ms = Millis(length_ms - thaw_ms)
        if line.shortest_if_one_weight() > room_ms:
            return None  # so it would be to all
    return None


def _looked_at(firsts: Sequence[Place], now: Millis) -> Iterable[Place]:
    """Return those of the *firsts* of a line that are looked at."""
    if len(firsts) <= LOOKED_AT:
        return firsts
    return chain(islice(firsts, LOOKED_AT), in_turn(firsts, now, after=LOOKED_AT, most=OTHERS_LOOKED_AT))


def room_is_kept(state: State, allocation: Allocation, chosen: Candidate, now: Millis, user: str = "") -> bool:
    """Whether room is kept for somebody of a higher level than *chosen* who has waited for a patience, and fits once more is free.

    Without this, narrow jobs would take each core as it comes free, and a wide one would wait for ever.
    """
    patience_ms, room = state.policy.patience_ms, allocation.room
    level = _level(chosen.place, now, patience_ms)
    for head, line in state.queue.fitting(allocation.resources, user, allocation.machine, allocation.node):
        if _level(head, now, patience_ms) <= level:
            break
        has_waited = now - state.entries[head.entry].queued_since >= patience_ms
        if has_waited and not line.need.fits_in(room) and line.is_for(allocation.abilities):
            return True
    return False


def owner_of(state: State, allocation: Allocation) -> str:
    """Return whose jobs alone may be bound to *allocation*, "" if anybody's may: its own user's, or those of whoever is in it."""
    if allocation.user or state.policy.sharing is Sharing.ANYBODY:
        return allocation.user
    guest = next(iter(allocation.guests), None)
    return "" if guest is None else state.entries[state.jobs[guest].entry].user


def entry_and_job(state: State, candidate: Candidate) -> tuple[Entry, Job | None]:
    """Return whom *candidate* stands for."""
    entry = state.entries[candidate.entry]
    return entry, None if candidate.job is None else state.jobs[candidate.job]
