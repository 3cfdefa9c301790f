"""Snapshots that somebody wants to be gone."""

from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.facts import SnapshotDropped
from idleq.scheduler.core.inputs import SnapshotRemoved


def remove(draft: Draft, what: SnapshotRemoved) -> None:
    """Forget the snapshot, whose files are removed afterwards; refuse if the job would have nothing to go on from, or goes on from it."""
    job = draft.state.job(what.job)
    known = () if job is None else job.snapshots
    if job is None:
        draft.refuse("unknown", f"there is no job {what.job}")
    elif all(kept.id != what.snapshot for kept in known):
        draft.refuse(
            "unknown",
            f"job {what.job} has no snapshot {what.snapshot}; `idleq snapshot ls {what.job}` lists those it has",
        )
    elif job.segment is not None and job.segment.thaw_from == what.snapshot:
        draft.refuse("conflict", f"job {what.job} was thawed from {what.snapshot} and would need it again")
    elif len(known) == 1 and not job.is_final:
        draft.refuse(
            "conflict",
            f"{what.snapshot} is all that job {what.job} can go on from; cancel the job first if its work is not wanted",
        )
    else:
        draft.record(SnapshotDropped(job=what.job, snapshot=what.snapshot, reason=what.reason))
