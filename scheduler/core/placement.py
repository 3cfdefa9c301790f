"""Which job a piece of a gap is given to: priority, then fit, then age, and age becomes priority so that nothing starves."""

from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from idleq.ids import Millis
from idleq.scheduler.core.commands import Sharing
from idleq.scheduler.core.costs import Costs
from idleq.scheduler.core.entry import Entry
from idleq.scheduler.core.job import Job
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.queue import Candidate, Line, Place
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.state import Allocation, State
from idleq.scheduler.core.submission import FreezeMethod, JobSpec

LOOKED_AT = 64
"""Candidates of one shape that are looked at: alike as they are, if the first do not pay here the others hardly do."""


class Stretch(NamedTuple):
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


def stretch(spec: JobSpec, job: Job | None, length_ms: Millis, costs: Costs, policy: Policy) -> Stretch:
    """Return what *job* (None: a fresh one of *spec*) would make of a gap of *length_ms*."""
    has_snapshot = job is not None and bool(job.snapshots)
    thaw_ms = costs.thaw_ms(spec.name, 950, policy.thaw_ms) if has_snapshot else Millis(0)
    run_ms = job.run_ms if job is not None else 0
    left_ms = None if spec.expected_ms is None else max(spec.expected_ms - run_ms, 0)
    if left_ms is not None and thaw_ms + left_ms <= length_ms:
        return Stretch(Millis(left_ms), thaw_ms, ends_here=True)
    if spec.freeze is FreezeMethod.NONE:
        # Nothing of it survives the gap's end: it is worth a try only if nobody knows how long it takes.
        return Stretch(length_ms if left_ms is None else Millis(0), Millis(0), ends_here=False)
    overhead = Millis(thaw_ms + costs.freeze_ms(spec.name, 950, policy.freeze_ms) + policy.margin_ms)
    return Stretch(Millis(length_ms - overhead), overhead, ends_here=False)


_CORES = attrgetter("need.cores")

NOBODY = (-(2**62), -1)
"""The level and fit of a choice that nobody was offered yet."""

Rank = tuple[int, int, int, int, int]
"""Where a candidate stands for one piece of a gap; the greatest is taken.

First the level (priority, plus one for each patience it has waited), then the fit (core-milliseconds of progress that it
would make of the gap), then standing, entry and ordinal, negative: who is longest in line, then who came first.
"""


Found = tuple[Rank, Candidate]
Looks = dict[Place, Found | None]
"""What was found in lines that were looked at for one length of one turn, by their heads."""


def choose(
    state: State, room: Resources, length_ms: Millis, now: Millis, looks: Looks | None = None, user: str = ""
) -> Candidate | None:
    """Return who of the queue (of *user*, if one is named) is given *room* for *length_ms*, None if it pays for nobody.

    Whoever goes on choosing for that length in that turn keeps *looks*, without the line that was chosen from (`forget`).
    """
    looks = {} if looks is None else looks
    queue, patience_ms = state.queue, state.policy.patience_ms
    best: Found | None = None
    level, fit = NOBODY
    begin = 0
    while begin < len(queue.order):
        # The first in line has its line's highest level, so those of one level stand together.
        highest = (now - queue.order[begin].standing) // patience_ms
        if highest < level:
            break
        end = queue.count_before(Millis(now - highest * patience_ms + 1))
        lines = queue.fitting_among(begin, end, room, user)
        lines.sort(key=_CORES, reverse=True)  # the widest first; equals stay in their order
        for line in lines:
            if highest == level and line.need.cores * length_ms < fit:
                break  # no fit is better than the whole length, and the lines that follow are narrower
            head = line.places[0]
            found = (
                looks[head] if head in looks else looks.setdefault(head, _first_that_pays(state, line, length_ms, now))
            )
            if found is not None and (best is None or found[0] > best[0]):
                best = found
                level, fit = found[0][0], found[0][1]
        begin = end
    return None if best is None else best[1]


def forget(looks: Looks, state: State, chosen: Candidate) -> None:
    """Look at the line of *chosen* again."""
    looks.pop(state.queue.head_before(chosen), None)


def _first_that_pays(state: State, line: Line, length_ms: Millis, now: Millis) -> Found | None:
    """Return the first in *line* that would make more of the gap than it costs, with its rank."""
    found = first_paying(state, line, length_ms)
    if found is None:
        return None
    candidate, worth = found
    place = candidate.place
    level = (now - place.standing) // state.policy.patience_ms
    fit = line.need.cores * worth.useful_ms
    return (level, fit, -place.standing, -place.entry, -place.ordinal), candidate


def first_paying(state: State, line: Line, length_ms: Millis) -> tuple[Candidate, Stretch] | None:
    """Return the first of those that are looked at in *line* for whom a gap of *length_ms* pays, and what it would make of it."""
    entries, jobs, candidates = state.entries, state.jobs, line.candidates
    refused: JobSpec | None = None
    was_fresh, left_ms = False, length_ms
    for place in islice(line.places, LOOKED_AT):
        candidate = candidates[place]
        spec = entries[candidate.entry].submission.spec
        job = None if candidate.job is None else jobs[candidate.job]
        is_fresh = job is None or not job.snapshots
        if spec is refused and is_fresh is was_fresh and not _ends_within(spec, job, left_ms):
            continue  # the gap would be to it what it was to the one before
        worth = stretch(spec, job, length_ms, state.costs, state.policy)
        if worth.pays:
            return candidate, worth
        refused, was_fresh = spec, is_fresh
        thaw_ms = 0 if is_fresh else state.costs.thaw_ms(spec.name, 950, state.policy.thaw_ms)
        left_ms = Millis(length_ms - thaw_ms)
    return None


def _ends_within(spec: JobSpec, job: Job | None, length_ms: Millis) -> bool:
    """Whether *job* would be done after running for *length_ms*; one that does not say how long it takes never is."""
    if spec.expected_ms is None:
        return False
    return spec.expected_ms - (0 if job is None else job.run_ms) <= length_ms


def room_is_kept(state: State, allocation: Allocation, chosen: Candidate, now: Millis, user: str = "") -> bool:
    """Whether room is kept for somebody of a higher level than *chosen* who has waited for a patience, and fits once more is free.

    Without this, narrow jobs would take each core as it comes free, and a wide one would wait for ever.
    """
    patience_ms, room = state.policy.patience_ms, allocation.room
    level = (now - chosen.place.standing) // patience_ms
    for head, line in state.queue.fitting(allocation.resources, user):
        if (now - head.standing) // patience_ms <= level:
            break
        has_waited = now - state.entries[head.entry].queued_since >= patience_ms
        if has_waited and not line.need.fits_in(room):
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
