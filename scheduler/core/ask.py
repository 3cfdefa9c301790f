"""Which allocations to ask for: gaps times queue, no more than can be used, and slowly at first."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter, itemgetter

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.accept_cluster import give_back
from idleq.scheduler.core.commands import Mode, RequestAllocation, Sharing
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.gaps import Gap
from idleq.scheduler.core.placement import entry_and_job, first_paying, shortest_paying
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.queue import Line
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.sitefacts import AllocationAsked
from idleq.scheduler.core.staggering import pays_in_its_turn
from idleq.scheduler.core.state import Alarm, Hold, Offer, State
from idleq.scheduler.core.timing import length_in
from idleq.scheduler.core.turns import in_turn

GAPS_LOOKED_AT = 256
"""The longest gaps, which are looked at in every turn; more than can be asked for at once."""

OTHERS_LOOKED_AT = 256
"""Where there are more, so many offers have their longest gaps looked at too; the rest has its turn later."""

_CORES = attrgetter("need.cores")
_LAST = itemgetter(-1)


def ask(draft: Draft) -> None:
    """Ask for allocations in the longest gaps as long as there are jobs that would use them."""
    state = draft.state
    free_asks = min(state.ramp, state.policy.max_pending) - len(state.asked)
    if not state.agenda.demand or state.is_paused or draft.now < state.slowed_until or free_asks <= 0:
        return
    if state.open_gaps.latest_end - draft.now < state.policy.min_gap_ms:
        return
    spoken_for, elsewhere = _spoken_for(state)
    if len(spoken_for) == len(state.open_gaps.order):
        return
    demand: Demand | None = None
    useless: set[Offer] = set()  # and so are shorter gaps that offer the same: demand only shrinks
    # What is asked for leaves the open gaps, behind this walk: it is begun at the longest and has gone past it.
    for gap in _longest_gaps(state, elsewhere, spoken_for, draft.now):
        if demand is None:
            demand = _unmet(state)
        if free_asks <= 0:
            return
        offer = state.open_gaps.offers[gap.node]
        found = None if offer in useless else _first_of_use(state, demand, gap, draft.now)
        if found is None:
            # A job that is moved may not want this node, and want another that offers the same; and where others write at the end
            # of this gap, they need not at that of a shorter one.
            if not state.moving and not state.policy.shared_bandwidth:
                useless.add(offer)
            continue
        wanted, shortest_ms = found
        user = wanted.shape.user if state.policy.sharing is Sharing.USER else ""
        demand.use(gap.free, user)
        _ask_for(draft, gap, user, shortest_ms, is_there_only=_must_be_named(state, wanted))
        free_asks -= 1


def _spoken_for(state: State) -> tuple[set[NodeName], int]:
    """Return the open gaps that requests without a node of their own were made for, and how many such have lost theirs."""
    seen_on = [state.allocations[name].seen_on for name in state.asked if state.allocations[name].node is None]
    still_open = {node for node in seen_on if node is not None and node in state.open_gaps.ends}
    return still_open, len(seen_on) - len(still_open)


def _longest_gaps(state: State, skipped: int, spoken_for: set[NodeName], now: Millis) -> Iterator[Gap]:
    """Yield open gaps that are long enough, those that jobs are moved to and then longest first, but those *spoken_for* and as many as requests will take of any.

    Where there are too many, what follows is the longest of each offer, if it was not among the first.
    """
    open_gaps = state.open_gaps
    for name in _moved_to(state):
        gap = None if name in spoken_for or name not in open_gaps.ends else _long_enough(state, name, now)
        if gap is not None:
            yield gap
    seen: set[NodeName] = set()
    for _, name in islice(reversed(open_gaps.order), skipped + GAPS_LOOKED_AT):
        seen.add(name)
        if len(seen) <= skipped or name in spoken_for:
            continue
        gap = _long_enough(state, name, now)
        if gap is None:
            return
        yield gap
    if len(open_gaps.order) <= GAPS_LOOKED_AT:
        return
    longest = list(map(_LAST, open_gaps.alike.values()))
    for _, name in sorted(in_turn(longest, now, after=0, most=OTHERS_LOOKED_AT), reverse=True):
        gap = None if name in seen or name in spoken_for else _long_enough(state, name, now)
        if gap is not None:
            yield gap


def _moved_to(state: State) -> Iterator[NodeName]:
    """Yield the nodes that jobs in line are moved to: they may be far behind the longest gaps."""
    for name in state.moving:
        move = state.jobs[name].move
        if move is not None and move.to is not None:
            yield move.to


def _long_enough(state: State, name: NodeName, now: Millis) -> Gap | None:
    gap = state.nodes[name].gap
    return None if gap is None or length_in(state, gap, now) < state.policy.min_gap_ms else gap


@dataclass(slots=True)
class Demand:
    """How many *jobs* of each of these *lines* wait beyond those that allocations on their way will take."""

    lines: list[Line]
    jobs: list[int]

    def use(self, room: Resources, user: str) -> None:
        """Take out what fits into *room* (of *user*, if one is named)."""
        jobs = self.jobs
        cores, memory, gpus = room.cores, room.memory, room.gpus
        for number, line in enumerate(self.lines):
            if cores <= 0:
                break
            need, wanted = line.need, jobs[number]
            if not wanted or need.cores > cores or need.memory > memory or need.gpus > gpus:
                continue
            if user and line.shape.user != user:
                continue
            fitting = min(cores // need.cores, memory // need.memory, wanted)
            if need.gpus:
                fitting = min(fitting, gpus // need.gpus)
            cores -= fitting * need.cores
            memory -= fitting * need.memory
            gpus -= fitting * need.gpus
            jobs[number] -= fitting


def _unmet(state: State) -> Demand:
    """Return what waits: the largest first, or, where an allocation is for one user, whoever has the best standing."""
    queue = state.queue
    if state.policy.sharing is Sharing.USER:
        lines = [queue.heads[head] for head in queue.order]
    else:
        lines = sorted(queue.lines.values(), key=_CORES, reverse=True)
    demand = Demand(lines, [line.jobs for line in lines])
    for name in state.coming:
        coming = state.allocations[name]
        demand.use(coming.resources, coming.user)
    return demand


def _first_of_use(state: State, demand: Demand, gap: Gap, now: Millis) -> tuple[Line, Millis] | None:
    """Return the first in *demand* who would make more of the gap than it costs, and of how short a gap still; None if there is nobody."""
    length_ms, node = state.policy.usable_ms(length_in(state, gap, now)), state.nodes[gap.node]
    for line, jobs in zip(demand.lines, demand.jobs, strict=True):
        if not jobs or not line.need.fits_in(gap.free) or not line.suits(node.machine, gap.node):
            continue
        found = first_paying(state, line, length_ms, node.abilities)
        if found is not None and pays_in_its_turn(state, None, gap.end.likely, *entry_and_job(state, found[0])):
            return line, shortest_paying(state, *found)
    return None


def _must_be_named(state: State, line: Line) -> bool:
    """Whether the site's scheduler would perhaps choose a node on which the line's jobs cannot go on, again and again."""
    if not line.shape.is_choosy:
        return False
    if line.shape.move is not None:
        return True
    return any(node.machine is not None and not line.suits(node.machine, None) for node in state.nodes.values())


def _ask_for(draft: Draft, gap: Gap, user: str, shortest_ms: Millis, *, is_there_only: bool) -> None:
    """Ask for what *gap* offers: whoever it is asked for must make something of the shortest that the site may give."""
    policy, command = draft.state.policy, draft.next_command
    allocation = AllocationId(f"a{draft.state.next_allocation}")
    is_window = policy.mode is Mode.WINDOW
    node = gap.node if is_window or is_there_only else None
    longest = length_in(draft.state, gap, draft.now)
    request = RequestAllocation(
        id=command,
        allocation=allocation,
        mode=policy.mode,
        node=node,
        resources=gap.free,
        min_ms=max(policy.min_gap_ms, policy.at_least_ms(Millis(shortest_ms + policy.begin_ms))),
        max_ms=longest,
        ends_by=_ends_by(policy, gap, draft.now) if is_window else None,
        seen_on=gap.node,
        user=user,
    )
    draft.record(
        AllocationAsked(
            allocation=allocation,
            mode=request.mode,
            node=request.node,
            resources=request.resources,
            min_ms=request.min_ms,
            max_ms=request.max_ms,
            command=command,
            ends_by=request.ends_by,
            seen_on=gap.node,
            user=user,
        ),
        request,
    )


def _ends_by(policy: Policy, gap: Gap, now: Millis) -> Millis:
    """Return when a window is over, whenever it begins: when the gap is; where that is far, one that has waited is not shorter for it."""
    latest = Millis(now + policy.max_allocation_ms + policy.window_wait_ms)
    return latest if gap.end.likely is None else min(gap.end.likely, latest)


def give_back_idle(draft: Draft, due: list[tuple[Alarm, str]]) -> None:
    """Give back allocations that have been empty for long enough, or at once while idleq is paused."""
    state = draft.state
    if state.is_paused:
        names = [a.id for a in state.allocations.values() if not a.guests]
    else:
        names = [AllocationId(name) for alarm, name in due if alarm is Alarm.LINGER]
    for name in names:
        allocation = state.allocations.get(name)
        if allocation is None or allocation.guests or allocation.hold is Hold.RELEASED:
            continue
        since = allocation.idle_since
        if state.is_paused:
            give_back(draft, allocation, "idleq is paused")
        elif since is not None and draft.now >= Millis(since + state.policy.linger_ms):
            give_back(draft, allocation, "nothing in the queue fits what is left of it")
