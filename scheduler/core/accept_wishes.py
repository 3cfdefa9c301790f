"""What people want of single jobs that run or wait, and whether it can be."""

from idleq.scheduler.core.accept_people import freeze, targets
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.job import Freezing, Held, Job, Running, Starting
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.core.wishes import FreezeWished


def freeze_wished(draft: Draft, what: FreezeWished) -> None:
    """Freeze what runs of *target* until its release; refuse if nothing of it runs, or if its work would be lost by it.

    Told again, it is as it was: what is frozen and held already, or about to be, stays so.
    """
    jobs = targets(draft, what.target)
    if jobs is None:
        return
    running = [job for job in jobs if isinstance(job.state, Starting | Running | Freezing)]
    if not running and not any(isinstance(job.state, Held) for job in jobs):
        message = f"job {what.target} does not run, so there is nothing to freeze; `idleq hold {what.target}` keeps it from being started"
        draft.refuse("conflict", message)
    elif running and not _can_be_frozen(draft, running[0]):
        message = f"job {what.target} cannot be frozen: it would lose what it has done; `idleq hold {what.target}` ends its segment all the same"
        draft.refuse("conflict", message)
    else:
        for job in running:
            _freeze_until_released(draft, job, what.reason)


def _freeze_until_released(draft: Draft, job: Job, reason: str) -> None:
    match job.state:
        case Starting(segment=segment) | Running(segment=segment) | Freezing(segment=segment, hold=False):
            freeze(draft, job.id, segment, reason, hold=True)
        case _:
            pass


def _can_be_frozen(draft: Draft, job: Job) -> bool:
    return draft.state.entries[job.entry].spec.freeze is not FreezeMethod.NONE
