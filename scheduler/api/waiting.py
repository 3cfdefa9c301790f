"""Waiting until jobs are over, without asking again and again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from idleq.ids import JobId, Millis, entry_of
from idleq.scheduler.api.office import Office
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.job import Cancelled, Done, Failed
from idleq.scheduler.core.state import State
from idleq.scheduler.errors import UnknownTarget
from idleq.scheduler.hands import entry_topic

LONGEST_WAIT_MS = 60_000
"""A client that wants to wait longer asks again, so that it notices a daemon that has died."""

REST_MS = 50
"""After a wake-up, before looking again: the tasks of an array end by the hundred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How far one of the targets is: of its *jobs*, so many ended in each way."""

    target: JobId
    is_over: bool
    jobs: int
    done: int
    failed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Waited:
    """All targets, in the order asked, and whether all are over."""

    is_over: bool
    jobs: tuple[Outlook, ...]


async def wait(office: Office, targets: Sequence[JobId], timeout_ms: int) -> Waited:
    """Return when all *targets* are over, or when the time is up.

    Raises:
        UnknownTarget: one of them does not exist.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(timeout_ms, LONGEST_WAIT_MS) / 1000

    def look(engine: Engine, _now: Millis) -> Waited:
        return outlooks(engine.state, targets)

    while True:
        waited = await office.look(look)
        left_ms = round(1000 * (deadline - loop.time()))
        if waited.is_over or left_ms <= 0 or office.bell.is_closed:
            return waited
        open_targets = {entry_topic(one.target): None for one in waited.jobs if not one.is_over}
        if await office.bell.wait(open_targets, left_ms):
            await asyncio.sleep(REST_MS / 1000)


def outlooks(state: State, targets: Sequence[JobId]) -> Waited:
    """Return how far *targets* are."""
    found = tuple(_outlook(state, target) for target in targets)
    return Waited(all(one.is_over for one in found), found)


def _outlook(state: State, target: JobId) -> Outlook:
    entry = state.entries.get(entry_of(target))
    if entry is not None and target == str(entry.id):
        return Outlook(
            target=target,
            is_over=entry.is_over,
            jobs=entry.submission.tasks,
            done=entry.done,
            failed=entry.failed,
            cancelled=entry.cancelled,
        )
    job = state.job(target)
    if job is None:
        message = f"there is no job {target}"
        raise UnknownTarget(message)
    ended = [isinstance(job.state, way) for way in (Done, Failed, Cancelled)]
    return Outlook(
        target=target, is_over=any(ended), jobs=1, done=int(ended[0]), failed=int(ended[1]), cancelled=int(ended[2])
    )
