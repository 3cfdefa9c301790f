"""What the cluster shows and what becomes of allocations."""

from collections.abc import Iterator, Mapping

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.accept_people import freeze_guests
from idleq.scheduler.core.cause import BOOKED, EMPTYING, CauseKind, in_words
from idleq.scheduler.core.commands import ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.facts import FreezeGivenUp
from idleq.scheduler.core.gaps import Gap
from idleq.scheduler.core.harm import complaint
from idleq.scheduler.core.inputs import (
    AgentReady,
    AllocationGranted,
    AllocationLost,
    CommandFailed,
    LeaseExpired,
    MainJobStarted,
    NodeLost,
    NodeReport,
    Reconciled,
    ViewChanged,
)
from idleq.scheduler.core.job import Freezing, Job, Segment
from idleq.scheduler.core.segments import end_segment, fail_launch, send_elsewhere
from idleq.scheduler.core.sitefacts import (
    AllocationClosing,
    AllocationEnded,
    AllocationFailed,
    AllocationReleased,
    AllocationStarted,
    GapClosed,
    MainJobHeldUp,
    NodesSeen,
    ReleaseDelayed,
    RequestsSlowed,
    StrayGranted,
)
from idleq.scheduler.core.state import Allocation, Hold, State


def see(draft: Draft, what: ViewChanged) -> None:
    """Take in how nodes look now, which gaps have closed thereby, and which nodes our guests are to leave."""
    state = draft.state
    deltas = tuple(report for report in what.deltas if _is_new(state, report))
    gone = tuple(name for name in what.gone if name in state.nodes)
    wanted = {report.name: report for report in deltas if _is_wanted(report) and not _may_stay(state, report)}
    for closed in list(_closed_gaps(state, deltas)):
        draft.record(closed)
    if deltas or gone:
        draft.record(NodesSeen(deltas=deltas, gone=gone))
    if wanted:
        _leave(draft, wanted)


def _is_new(state: State, report: NodeReport) -> bool:
    node = state.nodes.get(report.name)
    return node is None or node.report != report


def _is_wanted(report: NodeReport) -> bool:
    """Whether somebody waits for the node to be empty."""
    return not report.is_up and report.cause is not None and report.cause.kind in EMPTYING


def _may_stay(state: State, report: NodeReport) -> bool:
    """Whether the node is booked, and was wanted before: what was granted there since is there by the will of the site's scheduler."""
    node = state.nodes.get(report.name)
    return not _is_drained(report) and node is not None and _is_wanted(node.report)


def _is_drained(report: NodeReport) -> bool:
    return report.cause is not None and report.cause.kind is CauseKind.DRAINED


def _leave(draft: Draft, wanted: Mapping[NodeName, NodeReport]) -> None:
    """Bind nothing more to what we hold of these nodes, and freeze the guests there: it is given back once they have left."""
    for allocation in list(draft.state.allocations.values()):
        report = None if allocation.node is None else wanted.get(allocation.node)
        if report is None or allocation.hold not in (Hold.GRANTED, Hold.READY, Hold.CLOSING):
            continue
        freeze_guests(draft, allocation, _close(draft, allocation, report))


def _close(draft: Draft, allocation: Allocation, report: NodeReport) -> str:
    reason = f"its node is wanted empty ({in_words(report.cause)})"
    if allocation.hold is not Hold.CLOSING:
        draft.record(AllocationClosing(allocation=allocation.id, reason=reason))
    return reason


def start(draft: Draft, allocation: Allocation, what: AllocationGranted | AgentReady) -> None:
    """The allocation, which was asked for, has started.

    On a drained node it is given back: it began before that, and was told late (after a restart, say), or somebody waits for it all the
    same. What begins on a booked one may stay: the site's scheduler starts nothing there that is in the way.
    """
    draft.record(
        AllocationStarted(allocation=allocation.id, node=what.node, resources=what.resources, until=what.until)
    )
    node = draft.state.nodes.get(what.node)
    if node is not None and _is_drained(node.report):
        reason = _close(draft, allocation, node.report)
        # The site may start the next one there too.
        draft.record(RequestsSlowed(until=Millis(draft.now + draft.state.policy.slow_ms), reason=reason))


def _closed_gaps(state: State, deltas: tuple[NodeReport, ...]) -> Iterator[GapClosed]:
    for report in deltas:
        node = state.nodes.get(report.name)
        if node is None or node.gap is None or not _is_taken(report, node.gap):
            continue
        warned = Millis(0) if node.planned_since is None else Millis(state.now - node.planned_since)
        cause = node.report.cause
        yield GapClosed(
            node=report.name,
            opened_at=node.gap.since,
            planned_end=node.report.planned_start,
            warned_ms=warned,
            first_end=None if node.planned_since is None else node.first_end,
            cause=None if cause is None else cause.kind,
        )


def _is_taken(report: NodeReport, gap: Gap) -> bool:
    """Whether main jobs or a reservation took what had been free; a node that fails takes nothing."""
    if not report.is_up:
        return report.cause is not None and report.cause.kind in BOOKED
    return report.is_spared or report.free.cores < gap.free.cores


def lose_node(draft: Draft, what: NodeLost) -> None:
    """Give the allocation no more jobs. Its guests count as alive until their lease is over or the site's scheduler says so.

    Where only the site's daemon there has died, agent and guests live on and may still save, so they are asked to. What is to be
    said of the node beyond this allocation, the cluster's looks say.
    """
    allocation = draft.state.allocations.get(what.allocation)
    if allocation is None or allocation.hold is Hold.ASKED or allocation.has_failed:
        return
    draft.record(AllocationFailed(allocation=allocation.id, reason=what.reason))
    freeze_guests(draft, allocation, "its node failed")


def note_main_job(draft: Draft, what: MainJobStarted) -> None:
    """Keep what a main job had to wait for our guests, once however often it is told, and back off if that is too much."""
    state = draft.state
    held_up = MainJobHeldUp(
        main_job=what.main_job,
        nodes=what.nodes,
        waited_ms=what.waited_ms,
        bound_ms=what.bound_ms,
        guests_alive=what.guests_alive,
    )
    if held_up in state.harm.told:
        return
    draft.record(held_up)
    reason = complaint(held_up, state.policy)
    if reason is not None and draft.now >= state.harm.until:
        until = Millis(draft.now + state.harm.next_length(state.policy, draft.now))
        draft.record(RequestsSlowed(until=until, reason=reason, for_harm=True))


def grant(draft: Draft, what: AllocationGranted) -> None:
    """The allocation has started. One that nobody knows (any more) is given back."""
    allocation = draft.state.allocations.get(what.allocation)
    if allocation is None:
        command = draft.next_command
        draft.record(
            StrayGranted(allocation=what.allocation, command=command),
            ReleaseAllocation(id=command, allocation=what.allocation, reason="it was given up"),
        )
    elif allocation.hold is Hold.ASKED:
        start(draft, allocation, what)


def lose_allocation(draft: Draft, what: AllocationLost) -> None:
    """The allocation is over, and so are the segments in it."""
    allocation = draft.state.allocations.get(what.allocation)
    if allocation is not None:
        _end_guests(draft, allocation, what.reason)
        draft.record(AllocationEnded(allocation=what.allocation, reason=what.reason))


def expire(draft: Draft, what: LeaseExpired) -> None:
    """Its agent has stopped its guests by its own rule: the segments are over, and the allocation is of no use."""
    allocation = draft.state.allocations.get(what.allocation)
    if allocation is None or allocation.hold in (Hold.ASKED, Hold.RELEASED):
        return
    _end_guests(draft, allocation, "its agent fell silent, and the lease has run out")
    give_back(draft, allocation, "its agent fell silent")


def _end_guests(draft: Draft, allocation: Allocation, reason: str) -> None:
    for job in list(allocation.guests):
        end_segment(draft, draft.state.jobs[job], reason)


def give_back(draft: Draft, allocation: Allocation, reason: str) -> None:
    """Release *allocation*."""
    command = draft.next_command
    draft.record(
        AllocationReleased(allocation=allocation.id, reason=reason, command=command),
        ReleaseAllocation(id=command, allocation=allocation.id, reason=reason),
    )


def fail_command(draft: Draft, what: CommandFailed) -> None:
    """A command was not carried out: undo what stood on it."""
    state = draft.state
    allocation = next((a for a in state.allocations.values() if a.command == what.command), None)
    if allocation is not None and allocation.hold is Hold.RELEASED:
        again_at = Millis(draft.now + state.policy.slow_ms)
        draft.record(ReleaseDelayed(allocation=allocation.id, reason=what.reason, again_at=again_at))
        return
    if allocation is not None and allocation.hold is Hold.ASKED:
        draft.record(AllocationEnded(allocation=allocation.id, reason=what.reason))
        until = Millis(draft.now + state.policy.slow_ms)
        draft.record(RequestsSlowed(until=until, reason=what.reason))
        return
    for hosting in list(state.allocations.values()):
        for name in list(hosting.guests):
            job = state.jobs[name]
            segment = job.segment
            if segment is not None and segment.launch == what.command and segment.since is None:
                lose = send_elsewhere if what.image_missing else fail_launch
                lose(draft, job, what.reason)
            elif segment is not None and segment.command == what.command:
                _give_up_freezing(draft, job, segment, what.reason)


def _give_up_freezing(draft: Draft, job: Job, segment: Segment, reason: str) -> None:
    """Its agent could not do what was wished for; anything else that it is to do it does in the end."""
    if isinstance(job.state, Freezing) and job.state.is_wish and segment.since is not None:
        draft.record(FreezeGivenUp(job=job.id, fence=segment.fence, reason=reason))


def reconcile(draft: Draft, what: Reconciled) -> None:
    """After a start: ask again for what never arrived, and count as over what is no longer there."""
    state, there = draft.state, set(what.allocations)
    for allocation in list(state.allocations.values()):
        if allocation.hold is Hold.ASKED and allocation.id not in there:
            draft.tell_again(_request(allocation))
        elif allocation.hold is Hold.RELEASED and allocation.id in there:
            release_again(draft, allocation)
        elif allocation.id not in there:
            lose_allocation(draft, AllocationLost(allocation=AllocationId(allocation.id), reason="it is gone"))
    if state.policy.shared_bandwidth:
        # It may not have been limited when these were planned, or not so much.
        state.agenda.moved.update((one.node, None) for one in state.allocations.values() if one.node is not None)


def release_again(draft: Draft, allocation: Allocation) -> None:
    """Repeat that *allocation* is given back."""
    draft.tell_again(ReleaseAllocation(id=allocation.command, allocation=allocation.id, reason="given back"))


def _request(allocation: Allocation) -> RequestAllocation:
    return RequestAllocation(
        id=allocation.command,
        allocation=allocation.id,
        mode=allocation.mode,
        node=allocation.node,
        resources=allocation.resources,
        min_ms=allocation.min_ms,
        max_ms=allocation.max_ms,
        ends_by=allocation.ends_by,
        seen_on=allocation.seen_on,
        user=allocation.user,
    )
