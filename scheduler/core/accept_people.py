"""What people ask for, and whether it can be."""

from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from msgspec import structs

from idleq.ids import JOB_NAME, EntryId, Fence, JobId, entry_of, index_of
from idleq.scheduler.core.commands import Freeze, Kill
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.entry import Entry, Rest
from idleq.scheduler.core.facts import (
    EntryAdded,
    EntryCancelled,
    EntryHeld,
    EntryReleased,
    FreezeAsked,
    JobHeldBack,
    JobLetGo,
    JobWithdrawn,
    KillAsked,
    PauseSet,
)
from idleq.scheduler.core.inputs import JobCancelled, JobHeld, JobReleased, JobsSubmitted, Paused, Resumed
from idleq.scheduler.core.job import Freezing, Held, Job, Killing, Running, Segment, Starting
from idleq.scheduler.core.state import Allocation, State
from idleq.scheduler.core.submission import Submission
from idleq.scheduler.core.wishes import Move


def submit(draft: Draft, what: JobsSubmitted) -> None:
    """Take in all submissions of one call, or none; a repeated call names the entries that it made before."""
    state = draft.state
    if what.request in state.requests:
        oldest, newest = state.requests[what.request]
        draft.entries = tuple(EntryId(entry) for entry in range(oldest, newest + 1))
        return
    problem = next(_problems(state, what.submissions), None)
    if problem is not None:
        draft.refuse("invalid", problem)
        return
    first = state.next_entry
    for place, submission in enumerate(what.submissions):
        here = tuple(EntryId(first + other) for other in submission.after_here)
        named = structs.replace(submission, after=(*submission.after, *here), after_here=())
        draft.record(EntryAdded(entry=EntryId(first + place), submission=named, request=what.request, user=what.user))
    draft.entries = tuple(EntryId(first + place) for place in range(len(what.submissions)))


def _problems(state: State, submissions: Sequence[Submission]) -> Iterator[str]:
    if not submissions:
        yield "there is nothing to submit"
    for submission in submissions:
        yield from (f"job {submission.spec.name!r}: {problem}" for problem in problems_of(state, submission))
        for place in submission.after_here:
            if not 0 <= place < len(submissions):
                yield f"job {submission.spec.name!r} waits for job number {place + 1} of this call, which has {len(submissions)}"
    try:
        TopologicalSorter({place: s.after_here for place, s in enumerate(submissions)}).prepare()
    except CycleError as cycle:
        names = " -> ".join(submissions[place].spec.name for place in cycle.args[1])
        yield f"these jobs wait for each other in a circle: {names}"


def problems_of(state: State, submission: Submission) -> Iterator[str]:
    """Yield why *submission* could not be taken in."""
    spec, array = submission.spec, submission.array
    if not spec.argv or not spec.argv[0]:
        yield "it has no command"
    if spec.resources.cores < 1 or spec.resources.memory < 1 or spec.resources.gpus < 0:
        yield "it needs at least one core, some memory, and no negative number of GPUs"
    if (spec.expected_ms is not None and spec.expected_ms <= 0) or (
        spec.max_run_ms is not None and spec.max_run_ms <= 0
    ):
        yield "durations must be positive"
    if spec.retries < 0:
        yield "retries cannot be negative"
    if array is not None and (array.first < 0 or array.last < array.first or array.step < 1 or (array.limit or 1) < 1):
        yield "its array is not a range of numbers from 0 on"
    elif submission.tasks > state.policy.max_array:
        yield f"an array may have {state.policy.max_array} tasks at most, this one has {submission.tasks}"
    if state.nodes and not any(spec.resources.fits_in(node.report.capacity) for node in state.nodes.values()):
        yield f"no node is large enough: the largest has {_largest(state)}"
    unknown = [str(entry) for entry in submission.after if entry not in state.entries]
    if unknown:
        yield f"it waits for {', '.join(unknown)}, which does not exist"


def _largest(state: State) -> str:
    top = max((node.report.capacity for node in state.nodes.values()), key=lambda c: (c.cores, c.memory, c.gpus))
    return f"{top.cores} cores, {top.memory >> 20} MiB of memory and {top.gpus} GPUs"


def cancel(draft: Draft, what: JobCancelled) -> None:
    """End *target* for good."""
    jobs = targets(draft, what.target)
    if jobs is None:
        return
    entry = draft.state.entries[entry_of(what.target)]
    if _is_whole(entry, what.target) and entry.left:
        draft.record(EntryCancelled(entry=entry.id, reason="cancelled by its user"))
    for job in jobs:
        _cancel_job(draft, job)


def _cancel_job(draft: Draft, job: Job) -> None:
    segment, reason = job.segment, "cancelled by its user"
    if segment is None:
        draft.record(JobWithdrawn(job=job.id, reason=reason))
    elif not isinstance(job.state, Killing):
        kill(draft, job.id, segment, reason, withdraw=True)


def kill(draft: Draft, job: JobId, segment: Segment, reason: str, *, withdraw: bool) -> None:
    """End the segment now."""
    command = draft.next_command
    draft.record(
        KillAsked(job=job, fence=segment.fence, reason=reason, withdraw=withdraw, command=command),
        Kill(id=command, allocation=segment.allocation, job=job, fence=segment.fence, reason=reason),
    )


def freeze(
    draft: Draft,
    job: JobId,
    segment: Segment,
    reason: str,
    *,
    hold: bool,
    is_wish: bool = False,
    move: Move | None = None,
) -> None:
    """Freeze the segment now; if that is a wish only, it runs on where it cannot be."""
    command = draft.next_command
    draft.record(
        FreezeAsked(
            job=job,
            fence=Fence(segment.fence),
            reason=reason,
            hold=hold,
            command=command,
            move=move,
            is_wish=is_wish,
        ),
        Freeze(id=command, allocation=segment.allocation, job=job, fence=segment.fence, reason=reason, is_wish=is_wish),
    )


def hold(draft: Draft, what: JobHeld) -> None:
    """Let nothing of *target* start; what runs of it is frozen."""
    jobs = targets(draft, what.target)
    if jobs is None:
        return
    entry = draft.state.entries[entry_of(what.target)]
    if _is_whole(entry, what.target) and entry.left and entry.rest is not Rest.HELD:
        draft.record(EntryHeld(entry=entry.id, reason=what.reason))
    for job in jobs:
        match job.state:
            case Starting(segment=segment) | Running(segment=segment):
                freeze(draft, job.id, segment, what.reason, hold=True)
            case Freezing(segment=segment, hold=False) | Freezing(segment=segment, is_wish=True):
                freeze(draft, job.id, segment, what.reason, hold=True)
            case Freezing() | Killing() | Held():
                pass
            case _:
                draft.record(JobHeldBack(job=job.id, reason=what.reason))


def release(draft: Draft, what: JobReleased) -> None:
    """Let *target* start again."""
    jobs = targets(draft, what.target)
    if jobs is None:
        return
    entry = draft.state.entries[entry_of(what.target)]
    is_rest_held = _is_whole(entry, what.target) and entry.left > 0 and entry.rest is Rest.HELD
    held = [job for job in jobs if isinstance(job.state, Held)]
    if not held and not is_rest_held:
        draft.refuse("conflict", f"job {what.target} is not held")
        return
    if is_rest_held:
        draft.record(EntryReleased(entry=entry.id))
    for job in held:
        draft.record(JobLetGo(job=job.id))


def targets(draft: Draft, target: JobId) -> tuple[Job, ...] | None:
    """Return the touched (or single) jobs of *target* that are not final; refuse if there is nothing to act on."""
    state = draft.state
    if not JOB_NAME.fullmatch(target) or entry_of(target) not in state.entries:
        draft.refuse("unknown", f"there is no job {target}")
        return None
    entry = state.entries[entry_of(target)]
    if _is_whole(entry, target):
        jobs: Iterable[Job | None] = (state.jobs[job] for job in entry.open)
    else:
        jobs = (state.job(target),)
    found = tuple(job for job in jobs if job is not None and not job.is_final)
    if not _is_whole(entry, target) and state.job(target) is None:
        draft.refuse("unknown", f"array {entry.id} has no task {index_of(target)}")
        return None
    if not found and not (_is_whole(entry, target) and entry.left):
        draft.refuse("conflict", f"job {target} is over already")
        return None
    return found


def _is_whole(entry: Entry, target: JobId) -> bool:
    return target == str(entry.id)


def pause(draft: Draft, what: Paused) -> None:
    """Start nothing from here on; with *empty* freeze what runs."""
    state = draft.state
    if (state.is_paused, state.is_emptying) == (True, what.empty):
        return
    draft.record(PauseSet(paused=True, empty=what.empty, reason=what.reason))
    if not what.empty:
        return
    for allocation in list(state.allocations.values()):
        freeze_guests(draft, allocation, "idleq is paused")


def freeze_guests(draft: Draft, allocation: Allocation, reason: str) -> None:
    """Freeze all that starts or runs in *allocation*; what was to be frozen by somebody's wish now has to leave, frozen or not."""
    for name in list(allocation.guests):
        job = draft.state.jobs[name]
        if isinstance(job.state, Starting | Running):
            freeze(draft, name, job.state.segment, reason, hold=False)
        elif isinstance(job.state, Freezing) and job.state.is_wish:
            freeze(draft, name, job.state.segment, job.state.reason, hold=job.state.hold, move=job.move)


def resume(draft: Draft, _what: Resumed) -> None:
    """Start jobs again."""
    if draft.state.is_paused:
        draft.record(PauseSet(paused=False, empty=False, reason=""))
