"""Which job starts where: late binding, once an agent has room."""

from idleq.ids import AllocationId, Fence, Millis
from idleq.scheduler.core.accept_agents import launch_command
from idleq.scheduler.core.commands import Replan, SegmentPlan
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.facts import PlanMoved, SegmentStarted
from idleq.scheduler.core.job import Running, Starting
from idleq.scheduler.core.placement import Looks, choose, entry_and_job, owner_of, room_is_kept, took
from idleq.scheduler.core.queue import Candidate
from idleq.scheduler.core.staggering import pays_in_its_turn, stagger
from idleq.scheduler.core.state import Allocation, Hold, State
from idleq.scheduler.core.timing import WORTH_TELLING, end_of, length_of, plan_alone, segment_plans

AHEAD_MS = Millis(500)
"""How long a job that was bound ahead may have to wait for room, though another node may have some."""

AHEAD_MOST = 16
"""Enough for the time that a word to the agent and back takes."""

AHEAD_AT_ONCE = 4
"""In a turn in which so many start, no more are bound ahead: it would be long, and there is a next one soon."""

STARTED = (Starting, Running)
"""Jobs in these states follow their plans; the others were told to end."""


def bind(draft: Draft) -> None:
    """Give the room of agents to jobs."""
    state = draft.state
    if state.is_paused or not state.queue.lines:
        return
    rooms = dict.fromkeys(state.agenda.rooms)
    if state.agenda.grown:
        rooms |= {name: None for name in state.roomy if _is_of_use(state, name)}
    for name in rooms:
        allocation = state.allocations.get(name)
        if allocation is not None and allocation.hold is Hold.READY:
            _fill(draft, allocation)
            if allocation.node is not None and allocation.node in state.agenda.moved:
                stagger(draft, (allocation.node,))  # whoever is bound elsewhere in this turn finds it planned


def _is_of_use(state: State, name: AllocationId) -> bool:
    """Whether anything that has just come into the queue fits into the allocation's room."""
    room = state.allocations[name].room
    return any(need.fits_in(room) for need in state.agenda.grown)


def _fill(draft: Draft, allocation: Allocation) -> None:
    state = draft.state
    length_ms = length_of(state, allocation, draft.now)
    looks = Looks(abilities=allocation.abilities, machine=allocation.machine, node=allocation.node)
    at_once = AHEAD_AT_ONCE
    while not allocation.is_full:
        user = owner_of(state, allocation)
        candidate = choose(state, allocation.room, length_ms, draft.now, looks, user)
        if candidate is None or room_is_kept(state, allocation, candidate, draft.now, user):
            return
        if not pays_in_its_turn(state, allocation, end_of(state, allocation), *entry_and_job(state, candidate)):
            return
        took(looks)
        _start(draft, allocation, candidate)
        at_once -= 1
    shortest_ms = state.costs.shortest_run_ms
    if (
        shortest_ms is not None
        and len(allocation.ahead) <= AHEAD_MOST - AHEAD_AT_ONCE
        and _starts_soon(allocation, shortest_ms)
    ):
        _bind_ahead(draft, allocation, length_ms, looks, at_once)


def _starts_soon(allocation: Allocation, run_ms: Millis) -> bool:
    """Whether one more that is bound ahead would start soon, if whoever is there before it runs for *run_ms*."""
    ahead = len(allocation.ahead)
    return run_ms * (ahead + 1) <= AHEAD_MS * (len(allocation.guests) - ahead)


def _bind_ahead(draft: Draft, allocation: Allocation, length_ms: Millis, looks: Looks, most: int) -> None:
    """Let short jobs wait at the agent, which then need not ask for each: the way there and back takes longer than they do."""
    state = draft.state
    for _ in range(most):
        candidate = choose(state, allocation.resources, length_ms, draft.now, looks, owner_of(state, allocation))
        if candidate is None:
            return
        run_ms = state.costs.run_ms(state.entries[candidate.entry].kinds)
        if run_ms is None or not _starts_soon(allocation, run_ms):
            return
        took(looks)
        _start(draft, allocation, candidate, is_ahead=True)


def _start(draft: Draft, allocation: Allocation, candidate: Candidate, *, is_ahead: bool = False) -> None:
    state = draft.state
    entry, job = entry_and_job(state, candidate)
    name = entry.job_at(entry.cursor) if job is None else job.id
    snapshot = job.snapshots[-1] if job is not None and job.snapshots else None
    node = allocation.node
    assert node is not None  # an allocation with an agent is on a node
    draft.record(
        SegmentStarted(
            job=name,
            fence=Fence(1 if job is None else job.fence + 1),
            allocation=allocation.id,
            node=node,
            # As if it were alone there; `replan` looks at all of them together when the turn's binding is over.
            plan=plan_alone(state, allocation, entry, job),
            thaw_from=None if snapshot is None else snapshot.id,
            command=draft.next_command,
            is_ahead=is_ahead,
        )
    )
    started = state.jobs[name]
    assert started.segment is not None  # it has just been given one
    draft.commands.append(launch_command(draft, started, started.segment))
    if len(allocation.guests) == 1 and not state.policy.shared_bandwidth:
        # It is alone there, as its plan takes it to be; where others write at once, it has no turn yet.
        state.agenda.moved.pop(node, None)


def replan(draft: Draft) -> None:
    """Tell agents on nodes whose gap or guests have changed when their guests freeze now.

    Where main jobs have taken the node there is no gap to plan for: whoever is left there is told to go, and has its last plan.
    """
    state = draft.state
    for name in list(state.agenda.moved):
        node = state.nodes.get(name)
        if node is None or node.allocation is None or node.is_taken:
            continue
        allocation = state.allocations.get(node.allocation)
        if allocation is not None and allocation.guests and allocation.hold is Hold.READY:
            _tell_plans(draft, allocation)


def _tell_plans(draft: Draft, allocation: Allocation) -> None:
    state = draft.state
    for guest, plan in segment_plans(state, allocation).items():
        job = state.jobs[guest].state
        if not isinstance(job, STARTED):
            continue
        segment = job.segment
        if _has_moved(segment.plan, plan):
            command = draft.next_command
            draft.record(
                PlanMoved(job=guest, fence=segment.fence, plan=plan, command=command),
                Replan(id=command, allocation=allocation.id, job=guest, fence=segment.fence, plan=plan),
            )


def _has_moved(old: SegmentPlan, new: SegmentPlan) -> bool:
    return (
        _differ_much(old.save_every_ms, new.save_every_ms)
        or (old.freeze_at != new.freeze_at and _differ(old.freeze_at, new.freeze_at))
        or (old.ends_at != new.ends_at and _differ(old.ends_at, new.ends_at))
    )


def _differ_much(old: Millis | None, new: Millis | None) -> bool:
    """Whether one interval is longer than the other by more than a quarter: that much off, hardly anything is lost."""
    if old is None or new is None:
        return old is not new
    return 4 * old > 5 * new or 4 * new > 5 * old


def _differ(old: Millis | None, new: Millis | None) -> bool:
    if old is None or new is None:
        return old is not new
    return old - new > WORTH_TELLING or new - old > WORTH_TELLING
