"""What follows when a segment ends without a result. A gap that closes is not a failure; nor is a preemption."""

from idleq.ids import Millis
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.facts import (
    JobFailed,
    JobHeldBack,
    JobWithdrawn,
    SegmentLost,
)
from idleq.scheduler.core.job import Held, Job, Killing
from idleq.scheduler.core.sitefacts import AllocationClosing
from idleq.scheduler.core.state import Hold
from idleq.scheduler.core.wishes import Move

MISSED_FOR = Millis(10 * 60_000)
"""Nobody tells when a node has got what it lacked, an image, say: so long at most after it was missed it is tried again."""

MOST_DOUBLED = 16

LAUNCHES_TRIED = 2
"""An agent that could not start so many segments in a row has trouble of its own (a full disk, say)."""


def end_segment(draft: Draft, job: Job, reason: str, *, code: int = -9) -> None:
    """The segment is over: finish what a kill began, or let the job go on from its last snapshot."""
    segment = job.segment
    assert segment is not None  # called for active jobs
    if not isinstance(job.state, Killing):
        lose_segment(draft, job, reason)
    elif job.state.withdraw:
        draft.record(JobWithdrawn(job=job.id, reason=job.state.reason))
    else:
        draft.record(JobFailed(job=job.id, fence=segment.fence, code=code, reason=job.state.reason, ended_at=draft.now))


def lose_segment(draft: Draft, job: Job, reason: str) -> None:
    """The segment is over, through no fault of the workload."""
    _lose(draft, job, reason, delayed_until=None, launch_failed=False)
    hold_if_stalled(draft, job)


def fail_launch(draft: Draft, job: Job, reason: str) -> None:
    """The agent could not start the segment: the job waits a little, and an agent that fails again and again gets no more."""
    segment = job.segment
    assert segment is not None  # called for active jobs
    allocation = draft.state.allocations[segment.allocation]
    if isinstance(job.state, Killing):
        end_segment(draft, job, reason)
    else:
        _lose(draft, job, reason, delayed_until=Millis(draft.now + draft.state.policy.retry_ms), launch_failed=True)
    if allocation.failed_launches >= LAUNCHES_TRIED and allocation.hold is Hold.READY:
        draft.record(AllocationClosing(allocation=allocation.id, reason=f"jobs do not start on it: {reason}"))


def send_elsewhere(draft: Draft, job: Job, reason: str) -> None:
    """The node lacks something for this job, which is no fault of the agent's: the job goes elsewhere if it can, and waits longer each time."""
    segment, policy = job.segment, draft.state.policy
    assert segment is not None  # called for active jobs
    if isinstance(job.state, Killing):
        end_segment(draft, job, reason)
        return
    delayed_until = Millis(draft.now + min(policy.retry_ms << min(job.misses, MOST_DOUBLED), MISSED_FOR))
    move = Move(segment.node, None, Millis(delayed_until + policy.patience_ms))
    _lose(draft, job, f"{segment.node}: {reason}", delayed_until=delayed_until, launch_failed=False, move=move)


def _lose(
    draft: Draft,
    job: Job,
    reason: str,
    *,
    delayed_until: Millis | None,
    launch_failed: bool,
    move: Move | None = None,
) -> None:
    segment = job.segment
    assert segment is not None  # called for active jobs
    draft.record(
        SegmentLost(
            job=job.id,
            fence=segment.fence,
            reason=reason,
            ended_at=draft.now,
            delayed_until=delayed_until,
            launch_failed=launch_failed,
            move=move,
        )
    )


def hold_if_stalled(draft: Draft, job: Job) -> None:
    """Hold a job whose segments lead nowhere, so that it does not go on for ever."""
    after = draft.state.jobs[job.id]
    limit = draft.state.policy.stall_segments
    if after.stalled >= limit and not isinstance(after.state, Held):
        draft.record(JobHeldBack(job=job.id, reason=f"{after.stalled} segments in a row brought no progress"))
