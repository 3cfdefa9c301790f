"""Which snapshots may go: those that nobody will thaw, and, above the quota, those that jobs can do without."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from idleq.ids import JobId, Millis, SnapshotId
from idleq.scheduler.core.job import Cancelled, Done, Failed
from idleq.scheduler.core.policy import HOUR
from idleq.scheduler.core.rows import SnapshotRow
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.state import State

AFTER_END = Millis(24 * HOUR)
"""Snapshots of a job that failed or was cancelled stay for a day: somebody may want to know why."""

SETTLED = Millis(HOUR)
"""What the journal does not know may be news that is still on its way; after this it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A job that may have snapshots.

    Attributes:
        job: which.
        name: its workload's.
        snapshots: those that the journal knows, newest last.
        in_use: the one that its present segment was thawed from; None if there is no such segment.
        is_active: whether it has a segment.
        ended_at: when it was over; None if it is not.
    """

    job: JobId
    name: str
    snapshots: tuple[Snapshot, ...]
    in_use: SnapshotId | None
    is_active: bool
    ended_at: Millis | None


@dataclass(frozen=True, slots=True)
class Stray:
    """A snapshot on the disk that the journal does not know."""

    job: JobId
    snapshot: SnapshotId
    written_at: Millis


@dataclass(frozen=True, slots=True)
class Doomed:
    """A snapshot that may go; the journal has to be told if it *is_known* there."""

    job: JobId
    snapshot: SnapshotId
    reason: str
    is_known: bool = True


def holdings(state: State, user: str = "") -> Iterator[Holding]:
    """Yield every job (of *user*, if one is named) that has ever begun, and whose result does not stand in its snapshots' place."""
    for job in state.jobs.values():
        entry = state.entries[job.entry]
        if job.fence and not isinstance(job.state, Done) and (not user or entry.user == user):
            segment = job.segment
            yield Holding(
                job=job.id,
                name=entry.spec.name,
                snapshots=job.snapshots,
                in_use=segment.thaw_from if segment else None,
                is_active=segment is not None,
                ended_at=job.state.at if isinstance(job.state, Failed | Cancelled) else None,
            )


def snapshot_rows(state: State, user: str = "") -> Iterator[SnapshotRow]:
    """Yield a row for every snapshot (of *user*, if one is named), those of one job together, newest last."""
    for hold in holdings(state, user):
        for kept in hold.snapshots:
            yield SnapshotRow(
                job=hold.job,
                name=hold.name,
                snapshot=kept,
                is_newest=kept is hold.snapshots[-1],
                in_use=kept.id == hold.in_use,
                is_over=hold.ended_at is not None,
            )


def doomed(holds: Sequence[Holding], strays: Sequence[Stray], quota: int | None, now: Millis) -> tuple[Doomed, ...]:
    """Return what may go now, what is missed least first.

    Never the newest snapshot of a job that is not over, nor the one that a segment was thawed from, whatever the quota.
    """
    found = [*_forgotten(holds, strays, now), *_ended(holds, now)]
    if quota is None:
        return tuple(found)
    gone = {(one.job, one.snapshot) for one in found}
    left = [(hold, kept) for hold in holds for kept in hold.snapshots if (hold.job, kept.id) not in gone]
    total = sum(kept.bytes for _, kept in left)
    for hold, kept in sorted(left, key=lambda pair: (pair[0].ended_at is None, pair[1].taken_at, pair[0].job)):
        if total <= quota:
            break
        if may_go(hold, kept.id):
            found.append(Doomed(hold.job, kept.id, f"all snapshots together are over the quota of {quota} bytes"))
            total -= kept.bytes
    return tuple(found)


def may_go(hold: Holding, snapshot: SnapshotId) -> bool:
    """Whether the job can do without it."""
    return snapshot != hold.in_use and (hold.ended_at is not None or snapshot != hold.snapshots[-1].id)


def _forgotten(holds: Sequence[Holding], strays: Sequence[Stray], now: Millis) -> Iterator[Doomed]:
    """Yield what the journal does not know, and will not hear of any more."""
    quiet = {hold.job for hold in holds if not hold.is_active}
    for stray in strays:
        if stray.job in quiet and now - stray.written_at >= SETTLED:
            yield Doomed(stray.job, stray.snapshot, "the journal does not know it", is_known=False)


def _ended(holds: Sequence[Holding], now: Millis) -> Iterator[Doomed]:
    for hold in holds:
        if hold.ended_at is not None and now - hold.ended_at >= AFTER_END:
            yield from (Doomed(hold.job, kept.id, "its job has been over for a day") for kept in hold.snapshots)
