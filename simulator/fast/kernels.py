"""The main queue on arrays, in the part of Python that numba compiles. Uncompiled it runs too, slowly.

Nothing is allocated here: compiled without reference counts, arrays in a tuple cost nothing to pass around.
"""

from typing import NamedTuple, Protocol

import numpy as np


class Ints(Protocol):
    """An array of whole numbers, as far as it is used here."""

    def __getitem__(self, place: int, /) -> int: ...
    def __setitem__(self, place: int, value: int, /) -> None: ...
    def __len__(self) -> int: ...


FCFS, EASY, EASY_SJBF, CONSERVATIVE = 0, 1, 2, 3

FREE, HEAD, TAIL, RUNNING, STARTED, PASSES, ENDS = 0, 1, 2, 3, 4, 5, 6
"""What the places of `counts` hold. HEAD and TAIL: the part of `queue` that waits; STARTED: jobs so far; ENDS: the heap's."""

COUNTS = 7


class Site(NamedTuple):
    """All that changes, in arrays that are made once.

    Attributes:
        run: of each job.
        limit: of each job.
        size: of each job.
        start: of each job; -1 before it.
        counts: see above.
        queue: the jobs that wait, from HEAD to TAIL.
        shortest: the same jobs by their limits, for EASY_SJBF only.
        end: when running jobs end by their limits, ascending.
        held: their sizes.
        job: which they are.
        heap: when running jobs really end, and in which order they started, in one number: time << bits | order.
        order: the jobs in the order of their starts.
        times: room to plan in: when steps begin.
        room: how many processors are free in each.
        narrowest: the least size among the waiting jobs from each on.
        bits: how many the order takes.
    """

    run: Ints
    limit: Ints
    size: Ints
    start: Ints
    counts: Ints
    queue: Ints
    shortest: Ints
    end: Ints
    held: Ints
    job: Ints
    heap: Ints
    order: Ints
    times: Ints
    room: Ints
    narrowest: Ints
    bits: int


def new_site(run: Ints, limit: Ints, size: Ints, processors: int) -> Site:
    """Return a machine that is empty yet."""
    jobs = len(run)
    most = min(jobs, processors) + 2
    counts = np.zeros(COUNTS, dtype=np.int64)
    counts[FREE] = processors
    queue, shortest, order = (np.empty(jobs + 1, dtype=np.int64) for _ in range(3))
    end, held, job, heap = (np.empty(most, dtype=np.int64) for _ in range(4))
    times, room, narrowest = (np.empty(2 * jobs + most + 2, dtype=np.int64) for _ in range(3))
    return Site(
        run=run,
        limit=limit,
        size=size,
        start=np.full(jobs, -1, dtype=np.int64),
        counts=counts,
        queue=queue,
        shortest=shortest,
        end=end,
        held=held,
        job=job,
        heap=heap,
        order=order,
        times=times,
        room=room,
        narrowest=narrowest,
        bits=jobs.bit_length(),
    )


def simulate(site: Site, submit: Ints, policy: int, per_event: int) -> None:
    """Let every job of *site* come in at *submit*, which is sorted, and run."""
    counts, size, heap, bits = site.counts, site.size, site.heap, site.bits
    jobs = len(submit)
    arrived = 0
    while arrived < jobs or counts[ENDS] > 0:
        now = heap[0] >> bits if counts[ENDS] > 0 else submit[arrived]
        if arrived < jobs and submit[arrived] < now:
            now = submit[arrived]
        wants_pass = False
        while arrived < jobs and submit[arrived] == now:
            enter(site, arrived, policy)
            width = size[arrived]
            arrived += 1
            if per_event:
                gone, free = gone_by(site, now)
                if width <= free:
                    one_pass(site, policy, now, gone, free)
            elif width <= counts[FREE]:
                wants_pass = True
        while counts[ENDS] > 0 and heap[0] >> bits == now:
            end_first(site)
            if counts[TAIL] > counts[HEAD]:
                wants_pass = True
                if per_event:
                    gone, free = gone_by(site, now)
                    one_pass(site, policy, now, gone, free)
        if wants_pass and not per_event:
            one_pass(site, policy, now, 0, counts[FREE])


def enter(site: Site, arrived: int, policy: int) -> None:
    """Put the job *arrived* at the queue's end, and where its limit says among the shortest first."""
    counts, shortest, limit = site.counts, site.shortest, site.limit
    tail = counts[TAIL]
    site.queue[tail] = arrived
    counts[TAIL] = tail + 1
    if policy == EASY_SJBF:
        place = tail - counts[HEAD]
        while place > 0 and limit[shortest[place - 1]] > limit[arrived]:
            shortest[place] = shortest[place - 1]
            place -= 1
        shortest[place] = arrived


def gone_by(site: Site, now: int) -> tuple[int, int]:
    """Return how many of the running jobs have used up their limits by *now*, and what is free without them."""
    gone = 0
    free = site.counts[FREE]
    while gone < site.counts[RUNNING] and site.end[gone] <= now:
        free += site.held[gone]
        gone += 1
    return gone, free


def one_pass(site: Site, policy: int, now: int, gone: int, free: int) -> None:
    """Let *policy* start what it chooses; running jobs before *gone* count as ended."""
    counts, queue, size = site.counts, site.queue, site.size
    counts[PASSES] += 1
    if policy == CONSERVATIVE:
        close_up(site, conservative_pass(site, now, gone, free))
        return
    before, head, tail = counts[HEAD], counts[HEAD], counts[TAIL]
    while head < tail and size[queue[head]] <= free:
        free -= size[queue[head]]
        begin(site, queue[head], now)
        head += 1
    counts[HEAD] = head
    if policy != FCFS and head + 1 < tail and free > 0:
        # What has started ends after now, so it lies behind those that are gone.
        shadow, extra = reservation(site, gone, free, size[queue[head]])
        if policy == EASY:
            close_up(site, backfill(site, now, free, shadow, extra))
        else:
            close_up(site, backfill_shortest(site, now, free, shadow, extra, tail - before))
    if policy == EASY_SJBF and counts[HEAD] > before:
        drop_started(site, tail - before)


def reservation(site: Site, gone: int, free: int, wanted: int) -> tuple[int, int]:
    """Return when, by their limits, enough jobs have ended for *wanted*, and how much is left over then."""
    place = gone
    while free < wanted:
        free += site.held[place]
        place += 1
    shadow = site.end[place - 1]
    while place < site.counts[RUNNING] and site.end[place] == shadow:
        free += site.held[place]
        place += 1
    return shadow, free - wanted


def backfill(site: Site, now: int, free: int, shadow: int, extra: int) -> int:
    """Start jobs behind the head that end by *shadow* or leave enough for it; return the last one's place."""
    queue, size, limit = site.queue, site.size, site.limit
    last = -1
    for place in range(site.counts[HEAD] + 1, site.counts[TAIL]):
        job = queue[place]
        width = size[job]
        if width > free:
            continue
        if now + limit[job] > shadow:
            if width > extra:
                continue
            extra -= width
        free -= width
        begin(site, job, now)
        last = place
        if free == 0:
            break
    return last


def backfill_shortest(site: Site, now: int, free: int, shadow: int, extra: int, waited: int) -> int:
    """Do as `backfill`, the jobs with the shortest limits first; return the end of the queue if any has started.

    `shortest` still has all *waited* jobs that were there before the pass.
    """
    size, limit, start = site.size, site.limit, site.start
    head = site.queue[site.counts[HEAD]]
    has_started = False
    for place in range(waited):
        job = site.shortest[place]
        width = size[job]
        if width > free or job == head or start[job] >= 0:
            continue
        if now + limit[job] > shadow:
            if width > extra:
                continue
            extra -= width
        free -= width
        begin(site, job, now)
        has_started = True
        if free == 0:
            break
    return site.counts[TAIL] - 1 if has_started else -1


def drop_started(site: Site, waited: int) -> None:
    """Take out of `shortest`, which has *waited* jobs, those that have started."""
    kept = 0
    for place in range(waited):
        if site.start[site.shortest[place]] < 0:
            site.shortest[kept] = site.shortest[place]
            kept += 1


def conservative_pass(site: Site, now: int, gone: int, free: int) -> int:
    """Give each job in order the first place that is free for its limit; start those whose place begins now.

    Returns:
        the place of the last one started, -1 if there is none.
    """
    queue, size = site.queue, site.size
    times, room, narrowest = site.times, site.room, site.narrowest
    head, tail = site.counts[HEAD], site.counts[TAIL]
    least = size[queue[tail - 1]]
    for place in range(tail - 1, head - 1, -1):
        least = min(least, size[queue[place]])
        narrowest[place - head] = least
    times[0], room[0] = now, free
    steps = 1
    for place in range(gone, site.counts[RUNNING]):
        if site.end[place] == times[steps - 1]:
            room[steps - 1] += site.held[place]
        else:
            times[steps] = site.end[place]
            room[steps] = room[steps - 1] + site.held[place]
            steps += 1
    last = -1
    for place in range(head, tail):
        if narrowest[place - head] > room[0]:
            break
        job = queue[place]
        first, steps = place_first(times, room, steps, size[job], site.limit[job])
        if first == 0:
            begin(site, job, now)
            last = place
    return last


def place_first(times: Ints, room: Ints, steps: int, width: int, duration: int) -> tuple[int, int]:
    """Take *width* for *duration* out of the first place that has it; return its step, and how many steps there are now."""
    first = 0
    while room[first] < width:
        first += 1
    until = times[first] + duration
    after = first + 1
    while after < steps and times[after] < until:
        if room[after] < width:
            first = after + 1
            while room[first] < width:
                first += 1
            until = times[first] + duration
            after = first
        after += 1
    if after == steps or times[after] != until:
        for step in range(steps, after, -1):
            times[step] = times[step - 1]
            room[step] = room[step - 1]
        times[after] = until
        room[after] = room[after - 1]
        steps += 1
    for step in range(first, after):
        room[step] -= width
    return first, steps


def begin(site: Site, started: int, now: int) -> None:
    """Let the job *started* run from *now* on."""
    counts, ends, held, jobs, heap = site.counts, site.end, site.held, site.job, site.heap
    width = site.size[started]
    number = counts[STARTED]
    site.start[started] = now
    site.order[number] = started
    counts[STARTED] = number + 1
    counts[FREE] -= width
    end = now + site.limit[started]
    place = counts[RUNNING]
    counts[RUNNING] = place + 1
    while place > 0 and ends[place - 1] > end:
        ends[place] = ends[place - 1]
        held[place] = held[place - 1]
        jobs[place] = jobs[place - 1]
        place -= 1
    ends[place], held[place], jobs[place] = end, width, started
    key = (now + site.run[started]) << site.bits | number
    place = counts[ENDS]
    counts[ENDS] = place + 1
    while place > 0 and heap[(place - 1) >> 1] > key:
        heap[place] = heap[(place - 1) >> 1]
        place = (place - 1) >> 1
    heap[place] = key


def end_first(site: Site) -> None:
    """Take the job that ends first off the heap and give back its processors."""
    counts, ends, held, jobs, heap = site.counts, site.end, site.held, site.job, site.heap
    ended = site.order[heap[0] & ((1 << site.bits) - 1)]
    last = counts[ENDS] - 1
    counts[ENDS] = last
    moved = heap[last]
    place = 0
    below = 1
    while below < last:
        if below + 1 < last and heap[below + 1] < heap[below]:
            below += 1
        if moved <= heap[below]:
            break
        heap[place] = heap[below]
        place = below
        below = 2 * place + 1
    heap[place] = moved
    end = site.start[ended] + site.limit[ended]
    low, high = 0, counts[RUNNING]
    while low < high:
        middle = (low + high) >> 1
        if ends[middle] < end:
            low = middle + 1
        else:
            high = middle
    while jobs[low] != ended:
        low += 1
    counts[FREE] += held[low]
    left = counts[RUNNING] - 1
    counts[RUNNING] = left
    for place in range(low, left):
        ends[place] = ends[place + 1]
        held[place] = held[place + 1]
        jobs[place] = jobs[place + 1]


def close_up(site: Site, last: int) -> None:
    """Close the holes that started jobs have left in the queue, none of them behind *last*."""
    kept = last
    for place in range(last, site.counts[HEAD] - 1, -1):
        if site.start[site.queue[place]] < 0:
            site.queue[kept] = site.queue[place]
            kept -= 1
    if last >= 0:
        site.counts[HEAD] = kept + 1
