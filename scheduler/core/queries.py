"""What people and programs may want to know of the state."""

from collections import Counter
from collections.abc import Iterator

from idleq.ids import EntryId, Fence, JobId, Millis, index_of
from idleq.scheduler.core.entry import Entry, Rest
from idleq.scheduler.core.job import Cancelled, Delayed, Failed, Freezing, Held, Job, Killing, Queued, Running, Starting
from idleq.scheduler.core.resources import NOTHING
from idleq.scheduler.core.rows import EntryRow, JobDetail, JobRow, Summary
from idleq.scheduler.core.state import State
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod

MOST_STRETCHES = 3
"""Of an array's rest that are named; more would not be read."""


def job_rows(state: State, *, with_final: bool = False, entry: EntryId | None = None) -> Iterator[JobRow]:
    """Yield a row for every job that is not final (or for all), by number; the rest of an array is one, where it begins."""
    entries = state.entries.values() if entry is None else filter(None, (state.entries.get(entry),))
    finals = _finals(state) if with_final else {}
    for known in entries:
        has_rest = known.left or (with_final and known.rest is Rest.CANCELLED and known.cancelled)
        places = {known.ordinal_of(index_of(name)): name for name in (*known.open, *finals.get(known.id, ()))}
        for place in sorted({*places, known.cursor} if has_rest else places):
            name = places.get(place)
            yield _rest_row(known) if name is None else job_row(state, state.jobs[name])


def _finals(state: State) -> dict[EntryId, list[JobId]]:
    found: dict[EntryId, list[JobId]] = {}
    for job in state.jobs.values():
        if job.is_final:
            found.setdefault(job.entry, []).append(job.id)
    return found


def job_row(state: State, job: Job) -> JobRow:
    """Return the row of one job."""
    entry = state.entries[job.entry]
    segment = job.segment
    return JobRow(
        id=job.id,
        entry=job.entry,
        tasks=1,
        name=entry.spec.name,
        user=entry.user,
        priority=entry.spec.priority,
        resources=segment.resources if segment else entry.spec.resources,
        labels=entry.spec.labels,
        state=type(job.state).__name__.lower(),
        reason=_reason(job),
        node=segment.node if segment else None,
        allocation=segment.allocation if segment else None,
        fence=job.fence,
        step=job.step,
        total=job.total,
        run_ms=job.run_ms,
        running_since=segment.since if segment else None,
        freeze_at=segment.plan.freeze_at if segment else None,
        queued_since=job.queued_since,
        snapshots=len(job.snapshots),
        failures=job.failures,
        code=job.state.code if isinstance(job.state, Failed) else None,
    )


def _reason(job: Job) -> str:
    match job.state:
        case Held(reason=reason) | Freezing(reason=reason) | Killing(reason=reason):
            return reason
        case Failed(reason=reason) | Cancelled(reason=reason):
            return reason
        case Delayed(reason=reason):
            return f"tried again after a while: {reason}"
        case Queued() if job.move is not None:
            return f"moves off {job.move.off}" if job.move.to is None else f"moves to {job.move.to}"
        case _:
            return ""


def _rest_name(entry: Entry, array: ArrayRange | None) -> str:
    """Return "17", "17_3" or "17_[3-5,7-99]": the tasks that have never been touched; only the first of many stretches."""
    if array is None:
        return str(entry.id)
    texts: list[str] = []
    start = entry.cursor
    for touched in (*sorted(entry.touched), entry.submission.tasks):
        first, last = (array.first + ordinal * array.step for ordinal in (start, touched - 1))
        if touched > start:
            texts.append(str(first) if first == last else f"{first}-{last}")
        start = touched + 1
    shown = ",".join(texts[:MOST_STRETCHES]) + (",..." if len(texts) > MOST_STRETCHES else "")
    return f"{entry.id}_{shown}" if shown.isdecimal() else f"{entry.id}_[{shown}]"


def _rest_row(entry: Entry) -> JobRow:
    tasks = entry.left or entry.cancelled
    return JobRow(
        id=_rest_name(entry, entry.submission.array),
        entry=entry.id,
        tasks=tasks,
        name=entry.spec.name,
        user=entry.user,
        priority=entry.spec.priority,
        resources=entry.spec.resources,
        labels=entry.spec.labels,
        state=entry.rest.value,
        reason=entry.reason,
        node=None,
        allocation=None,
        fence=Fence(0),
        step=0,
        total=None,
        run_ms=Millis(0),
        running_since=None,
        freeze_at=None,
        queued_since=entry.queued_since,
        snapshots=0,
        failures=0,
    )


def job_detail(state: State, name: JobId) -> JobDetail | None:
    """Return all there is to know of a job, None if there is no such job."""
    job = state.job(name)
    if job is None:
        return None
    entry = state.entries[job.entry]
    return JobDetail(row=job_row(state, job), spec=entry.spec, after=entry.submission.after, snapshots=job.snapshots)


def entry_row(state: State, entry: EntryId) -> EntryRow | None:
    """Return how far an entry is, None if there is no such entry."""
    known = state.entries.get(entry)
    if known is None:
        return None
    return EntryRow(
        entry=known.id,
        tasks=known.submission.tasks,
        untouched=known.left,
        active=known.active,
        done=known.done,
        failed=known.failed,
        cancelled=known.cancelled,
        is_over=known.is_over,
    )


def counted_as(job: Job) -> str:
    """Return the state as people say it: what is queued with a snapshot is frozen."""
    return "frozen" if isinstance(job.state, Queued) and job.snapshots else type(job.state).__name__.lower()


def summary(state: State) -> Summary:
    """Return everything at a glance."""
    jobs: Counter[str] = Counter()
    unfreezable = 0
    for entry in state.entries.values():
        jobs[entry.rest.value] += entry.left
        jobs["done"] += entry.done
        jobs["failed"] += entry.failed
        jobs["cancelled"] += entry.cancelled
        for name in entry.open:
            job = state.jobs[name]
            jobs[counted_as(job)] += 1
            unfreezable += entry.spec.freeze is FreezeMethod.NONE and isinstance(job.state, Starting | Running)
    reports = [node.report for node in state.nodes.values()]
    up = [report for report in reports if report.is_up]
    return Summary(
        now=state.now,
        is_paused=state.is_paused,
        pause_reason=state.pause_reason,
        slowed_until=state.slowed_until if state.slowed_until > state.now else Millis(0),
        slowed_reason=state.slowed_reason if state.slowed_until > state.now else "",
        jobs={name: count for name, count in sorted(jobs.items()) if count},
        allocations=dict(sorted(Counter(a.hold.value for a in state.allocations.values()).items())),
        nodes=len(reports),
        nodes_up=len(up),
        capacity=sum((report.capacity for report in up), NOTHING),
        free=sum((report.free for report in up), NOTHING),
        used=sum((a.used for a in state.allocations.values()), NOTHING),
        unfreezable=unfreezable,
    )
