"""Guests that no daemon has sent and no allocation holds: what drills and trials run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis
from idleq.migration.ports import Order
from idleq.scheduler.agent.folders import Folders, segment_text
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.node import AgentRuntime
from idleq.scheduler.agent.ordering import order_of
from idleq.scheduler.agent.room import Share
from idleq.scheduler.core.commands import Launch, SegmentPlan
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import JobSpec
from idleq.scheduler.paths import SegmentPaths
from idleq.scheduler.ports import Clock

SAID = 2000
"""So much of what a program said last is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """Where and how such guests run on this machine.

    Attributes:
        runtime: runs them; whatever it started ends with it.
        clock: how long things take.
        scratch: an empty folder, which is empty afterwards.
        patience_ms: how long a program may take for what is waited for, and again for saving itself.
        environment: what of ours programs may see.
        without_criu: why nothing can be frozen or thawed here as it runs; "" if it can.
        roots: the folders of this machine of which a container may be shown something.
    """

    runtime: AgentRuntime
    clock: Clock
    scratch: Path
    patience_ms: Millis
    environment: Mapping[str, str]
    without_criu: str
    roots: Collection[str] = ()

    def order(self, guest: Guest) -> Order:
        """Return the order for *guest*; raises what `order_of` does."""
        return order_of(guest, SegmentPaths(guest.folders.root), self.environment, self.roots)


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
