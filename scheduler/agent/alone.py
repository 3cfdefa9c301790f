"""Guests that no daemon has sent and no allocation holds: what drills and trials run."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis
from idleq.migration.ports import Ended, Order
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

LOOK_SECONDS = 0.02

ENDS_MS = Millis(5_000)
"""What was killed is gone long before."""


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

    def start(self, guest: Guest) -> None:
        """Start *guest*; raises what its runtime does."""
        self.runtime.start(self.order(guest))

    def thaw(self, guest: Guest) -> None:
        """Let *guest* go on from its images; raises what its runtime does."""
        self.runtime.thaw(self.order(guest), guest.folders.images)

    def watch(self, most_ms: Millis, is_enough: Callable[[], bool] = lambda: False) -> Ended | None:
        """Return how what runs has ended, None if it has not before it *is_enough* or *most_ms* are over."""
        until = self.clock.now() + most_ms
        while (ended := next(iter(self.runtime.ended()), None)) is None:
            if is_enough() or self.clock.now() >= until:
                break
            time.sleep(LOOK_SECONDS)
        return ended

    def end(self, guest: Guest) -> None:
        """End *guest*, and wait until nothing of it lives any more."""
        self.runtime.kill([guest.name])
        self.watch(ENDS_MS)


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
