"""A guest that no daemon has sent and no allocation holds: what drills and trials run."""

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis
from idleq.scheduler.agent.folders import Folders, segment_text
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.room import Share
from idleq.scheduler.core.commands import Launch, SegmentPlan
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import JobSpec
from idleq.scheduler.paths import SegmentPaths

SAID = 2000
"""So much of what a program said last is told."""


def lone_guest(
    name: str,
    job: JobId,
    fence: Fence,
    spec: JobSpec,
    folders: Folders,
    *,
    thaw_from: Snapshot | None = None,
    is_enclosed: bool = False,
) -> Guest:
    """Return a segment of *spec* that nothing will end, called after *name*, and tell it so in its *folders*."""
    plan = SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None)
    launch = Launch(
        id=CommandId(0),
        allocation=AllocationId(name),
        job=job,
        fence=fence,
        spec=spec,
        plan=plan,
        thaw_from=thaw_from,
    )
    folders.tell(segment_text(fence, plan, spec))
    share = Share(spec.resources, frozenset(), ())
    return Guest(launch, folders, share, taken_at=Millis(0), plan=plan, is_enclosed=is_enclosed)


def last_words(folders: Folders) -> str:
    """Return the end of what the segment in *folders* printed as errors."""
    path = SegmentPaths(folders.root).stderr
    return path.read_bytes()[-SAID:].decode(errors="replace") if path.exists() else ""
