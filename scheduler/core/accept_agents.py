"""What agents say. It may be late, come twice, or concern a segment that was given up."""

from operator import attrgetter

from msgspec import structs

from idleq.ids import AllocationId, Fence, JobId, Millis
from idleq.scheduler.core.accept_cluster import start
from idleq.scheduler.core.commands import Freeze, Kill, Launch, Publish, Replan
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.facts import (
    JobDone,
    JobFailed,
    SegmentFailed,
    SegmentFrozen,
    SegmentProgressed,
    SegmentRunning,
    SnapshotDropped,
    StrayFound,
)
from idleq.scheduler.core.inputs import (
    AgentLeaving,
    AgentReady,
    Exited,
    Frozen,
    Launched,
    Progressed,
    SnapshotRejected,
)
from idleq.scheduler.core.job import Delayed, Freezing, Held, Job, Killing, Queued, Running, Segment, Starting
from idleq.scheduler.core.segments import end_segment, hold_if_stalled, lose_segment, send_elsewhere
from idleq.scheduler.core.sitefacts import AgentArrived, AllocationClosing
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.state import Allocation, Hold
from idleq.scheduler.core.submission import FreezeMethod

_ID = attrgetter("id")

LEAST_PROGRESS_MS = Millis(1000)
"""A segment that ran for less has done nothing to speak of."""


def greet(draft: Draft, what: AgentReady) -> None:
    """The agent is up: what it hosts and what we believe are made one."""
    allocation = draft.state.allocations.get(what.allocation)
    if allocation is None:
        draft.refuse("unknown", f"allocation {what.allocation} is over")
        return
    if allocation.hold is Hold.ASKED:
        start(draft, allocation, what)
    if allocation.hold is Hold.GRANTED:
        ends = [end for end in (allocation.until, what.until) if end is not None]
        draft.record(
            AgentArrived(
                allocation=allocation.id,
                node=what.node,
                resources=what.resources,
                until=min(ends, default=None),
                abilities=what.abilities,
                machine=what.machine,
            )
        )
    _agree_on_guests(draft, allocation, dict(what.guests))


def _agree_on_guests(draft: Draft, allocation: Allocation, hosted: dict[JobId, Fence]) -> None:
    for name in list(allocation.guests):
        job = draft.state.jobs[name]
        segment = job.segment
        assert segment is not None  # an allocation's guests are active
        if hosted.get(name) == segment.fence:
            _tell_wish_again(draft, job, segment)
        elif segment.since is None and isinstance(job.state, Starting):
            draft.tell_again(launch_command(draft, job, segment))
        else:
            end_segment(draft, job, "its agent no longer hosts it")
    for name, fence in hosted.items():
        known = draft.state.job(name)
        segment = None if known is None else known.segment
        if segment is None or segment.fence != fence:
            _end_stray(draft, allocation.id, name, fence)


def _tell_wish_again(draft: Draft, job: Job, segment: Segment) -> None:
    command, where, fence = segment.command, segment.allocation, segment.fence
    match job.state:
        case Freezing(reason=reason, is_wish=wish):
            draft.tell_again(Freeze(id=command, allocation=where, job=job.id, fence=fence, reason=reason, is_wish=wish))
        case Killing(reason=reason):
            draft.tell_again(Kill(id=command, allocation=where, job=job.id, fence=fence, reason=reason))
        case _:
            draft.tell_again(Replan(id=command, allocation=where, job=job.id, fence=fence, plan=segment.plan))


def launch_command(draft: Draft, job: Job, segment: Segment) -> Launch:
    """Return the command that starts the job's present segment."""
    entry = draft.state.entries[job.entry]
    spec = entry.spec
    snapshot = next((s for s in job.snapshots if s.id == segment.thaw_from), None)
    return Launch(
        id=segment.launch,
        allocation=segment.allocation,
        job=job.id,
        fence=segment.fence,
        spec=spec if spec.resources == segment.resources else structs.replace(spec, resources=segment.resources),
        plan=segment.plan,
        thaw_from=snapshot,
        prefers=draft.state.costs.choice(entry.kinds).preferred if spec.freeze is FreezeMethod.AUTO else None,
    )


def _end_stray(draft: Draft, allocation: AllocationId, job: JobId, fence: Fence) -> None:
    command = draft.next_command
    draft.record(
        StrayFound(job=job, fence=fence, allocation=allocation, command=command),
        Kill(id=command, allocation=allocation, job=job, fence=fence, reason="it was given up"),
    )


def part(draft: Draft, what: AgentLeaving) -> None:
    """Bind nothing more there."""
    allocation = draft.state.allocations.get(what.allocation)
    if allocation is not None and allocation.hold in (Hold.GRANTED, Hold.READY):
        draft.record(AllocationClosing(allocation=what.allocation, reason=what.reason))


def _present(draft: Draft, name: JobId, fence: Fence) -> tuple[Job, Segment] | None:
    """Return the job and its segment if that is the one spoken of."""
    job = draft.state.jobs.get(name)
    segment = None if job is None else job.segment
    if job is None or segment is None or segment.fence != fence:
        return None
    return job, segment


def start_running(draft: Draft, what: Launched) -> None:
    """The segment's process is up."""
    found = _present(draft, what.job, what.fence)
    if found is not None and found[1].since is None:
        draft.record(SegmentRunning(job=what.job, fence=what.fence, since=what.at, thaw_ms=what.thaw_ms))


def progress(draft: Draft, what: Progressed) -> None:
    """The workload is so far, and may have saved."""
    found = _present(draft, what.job, what.fence)
    if found is None or not isinstance(found[0].state, (Running, Freezing, Killing)):
        return
    job, segment = found
    if what.saved is not None:
        is_news = what.saved.id not in map(_ID, job.snapshots)
    else:
        is_due = segment.told_at is None or draft.now >= segment.told_at + draft.state.policy.progress_ms
        is_news = what.step > job.step and is_due
    if is_news:
        draft.record(
            SegmentProgressed(
                job=what.job,
                fence=what.fence,
                step=what.step,
                total=what.total,
                saved=what.saved,
                save_ms=what.save_ms,
            )
        )


def _is_late(draft: Draft, name: JobId, fence: Fence) -> bool:
    """Whether this is news of the job's last segment, which was given up, and none has started since."""
    job = draft.state.jobs.get(name)
    return job is not None and job.fence == fence and isinstance(job.state, Queued | Delayed | Held)


def end_frozen(draft: Draft, what: Frozen) -> None:
    """The segment left a snapshot."""
    found = _present(draft, what.job, what.fence)
    if found is not None and isinstance(found[0].state, Killing):
        end_segment(draft, found[0], what.reason)
    elif found is not None or _is_late(draft, what.job, what.fence):
        job = draft.state.jobs[what.job]
        if found is None and any(known.id == what.snapshot.id for known in job.snapshots):
            return
        has_moved = found is None or _has_moved(draft, job, found[1], what.snapshot)
        draft.record(
            SegmentFrozen(
                job=what.job,
                fence=what.fence,
                snapshot=what.snapshot,
                ended_at=what.at,
                freeze_ms=what.freeze_ms,
                reason=what.reason,
                has_moved=has_moved,
                delayed_until=None if has_moved else Millis(draft.now + draft.state.policy.retry_ms),
            )
        )
        hold_if_stalled(draft, job)


def _has_moved(draft: Draft, job: Job, segment: Segment, snapshot: Snapshot) -> bool:
    """Whether the segment brought the job on: by a step, or, if it names none, by more than coming and going cost."""
    if snapshot.step:
        return snapshot.step > segment.first_step
    costs, kinds, size = draft.state.costs, draft.state.entries[job.entry].kinds, snapshot.bytes
    cost = costs.thaw_ms(kinds, 500, size, Millis(0)) + costs.freeze_ms(kinds, 500, size, Millis(0))
    return snapshot.run_ms - segment.first_run_ms > max(cost, LEAST_PROGRESS_MS)


def end_exited(draft: Draft, what: Exited) -> None:
    """The segment ended without a snapshot: a result, a failure of the workload, or neither."""
    found = _present(draft, what.job, what.fence)
    has_result = what.code == 0 and what.cause == "workload"
    if found is None:
        if has_result and _is_late(draft, what.job, what.fence):
            _accept(draft, what)
        return
    job, _ = found
    if isinstance(job.state, Killing):
        end_segment(draft, job, what.reason, code=what.code)
    elif has_result:
        _accept(draft, what)
    elif what.cause == "agent":
        lose_segment(draft, job, what.reason)
    else:
        _fail(draft, job, what)


def _accept(draft: Draft, what: Exited) -> None:
    command = draft.next_command
    draft.record(
        JobDone(job=what.job, fence=what.fence, ended_at=what.at, digest=what.digest, command=command),
        Publish(id=command, job=what.job, fence=what.fence),
    )


def _fail(draft: Draft, job: Job, what: Exited) -> None:
    policy, spec = draft.state.policy, draft.state.entries[job.entry].spec
    reason = what.reason or (f"exit code {what.code}" if what.code >= 0 else f"ended by signal {-what.code}")
    if job.failures >= spec.retries:
        draft.record(JobFailed(job=job.id, fence=what.fence, code=what.code, reason=reason, ended_at=what.at))
        return
    until = Millis(draft.now + min(policy.retry_ms * 2**job.failures, policy.longest_retry_ms))
    draft.record(
        SegmentFailed(
            job=job.id, fence=what.fence, code=what.code, reason=reason, ended_at=what.at, delayed_until=until
        )
    )


def reject_snapshot(draft: Draft, what: SnapshotRejected) -> None:
    """A snapshot does not verify: go on from the one before. One that is whole is tried on another node first: it may be this one's fault."""
    found = _present(draft, what.job, what.fence)
    if found is None or not isinstance(found[0].state, Starting | Freezing | Killing):
        return
    job, _ = found
    if what.is_whole and isinstance(job.state, Starting) and not job.misses:
        send_elsewhere(draft, job, f"snapshot {what.snapshot} did not go on there ({what.reason})")
        return
    reason = f"snapshot {what.snapshot} is damaged ({what.reason}); the one before it is used"
    if isinstance(job.state, Starting):
        draft.record(SnapshotDropped(job=what.job, snapshot=what.snapshot, reason=what.reason))
    end_segment(draft, draft.state.jobs[what.job], reason)
