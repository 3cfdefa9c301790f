"""What follows when a segment ends without a result. A gap that closes is not a failure; nor is a preemption."""

from idleq.ids import Millis
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.facts import JobFailed, JobHeldBack, JobWithdrawn, SegmentLost
from idleq.scheduler.core.job import Held, Job, Killing


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


def lose_segment(draft: Draft, job: Job, reason: str, *, delay_ms: Millis | None = None) -> None:
    """The segment is over, through no fault of the workload."""
    segment = job.segment
    assert segment is not None  # called for active jobs
    delayed_until = None if delay_ms is None else Millis(draft.now + delay_ms)
    draft.record(
        SegmentLost(job=job.id, fence=segment.fence, reason=reason, ended_at=draft.now, delayed_until=delayed_until)
    )
    hold_if_stalled(draft, job)


def hold_if_stalled(draft: Draft, job: Job) -> None:
    """Hold a job whose segments lead nowhere, so that it does not go on for ever."""
    after = draft.state.jobs[job.id]
    limit = draft.state.policy.stall_segments
    if after.stalled >= limit and not isinstance(after.state, Held):
        draft.record(JobHeldBack(job=job.id, reason=f"{after.stalled} segments in a row brought no progress"))
