"""One guest: a segment of a job while this agent hosts it."""

from dataclasses import dataclass, field

from idleq.ids import CommandId, Millis, SnapshotId
from idleq.migration.ports import ContainerName, Ended
from idleq.scheduler.agent.decide import GuestView, Phase, Stop
from idleq.scheduler.agent.folders import Folders
from idleq.scheduler.agent.room import Key, Share
from idleq.scheduler.agent.tail import Tail, whole_number
from idleq.scheduler.core.commands import Launch, SegmentPlan
from idleq.scheduler.core.inputs import Progressed
from idleq.scheduler.core.submission import FreezeMethod


@dataclass(slots=True)
class Guest:
    """What is known of it here; times in the agent's clock.

    Attributes:
        launch: the command that it came with.
        folders: its scratch.
        share: what it holds of the node.
        taken_at: when the command was carried out.
        plan: when to act by ourselves; moves with the gap's end.
        phase: where it is.
        started_at: when its process started.
        asked_at: when it was to be frozen; None if it was not.
        signalled_at: when it was asked by its signal to save itself; None if it was not.
        ask_reason: why.
        stop: why it is being killed; None if it is not.
        early_end: how it ended, if that was seen before it was known that it had begun.
        ended_at: when its process ended.
        saved_at: up to when its work is saved.
        saved_bytes: what its newest snapshot weighs.
        snapshots: how many snapshots of it were begun here.
        is_saving: whether one is being made while it runs.
        memory_over: bytes it used when it used more than it asked for; None if it did not.
        is_enclosed: whether it runs as one that criu can freeze.
        method: how it is frozen here: never AUTO, but what the engine prefers then, if that can be had; and once the first choice has failed, what is left.
        must_go: whether somebody wants it away, frozen or not.
        wish: the command by which somebody wants it frozen, or else left alone; None if nobody does.
        trouble: why it could not be frozen; empty if that was not tried, or has succeeded.
    """

    launch: Launch
    folders: Folders
    share: Share
    taken_at: Millis
    plan: SegmentPlan
    phase: Phase = Phase.PREPARING
    started_at: Millis = Millis(0)
    asked_at: Millis | None = None
    signalled_at: Millis | None = None
    ask_reason: str = ""
    stop: Stop | None = None
    early_end: Ended | None = None
    ended_at: Millis = Millis(0)
    saved_at: Millis = Millis(0)
    saved_bytes: int = 0
    snapshots: int = 0
    is_saving: bool = False
    memory_over: int | None = None
    is_enclosed: bool = False
    method: FreezeMethod = field(init=False)
    must_go: bool = False
    wish: CommandId | None = None
    trouble: str = ""
    _progress: Tail = field(init=False)
    saves: Tail = field(init=False)
    _told: tuple[int, int | None] | None = None

    def __post_init__(self) -> None:
        self._progress, self.saves = Tail(self.folders.progress_file), Tail(self.folders.saved_file)
        self.saved_bytes = self.launch.thaw_from.bytes if self.launch.thaw_from else 0
        saver = FreezeMethod.APP if self.may_save else FreezeMethod.NONE
        is_outside = self.is_enclosed and not self.prefers_app
        self.method = FreezeMethod.CRIU if is_outside else saver

    @property
    def key(self) -> Key:
        """What names it here."""
        return self.launch.job, self.launch.fence

    @property
    def name(self) -> ContainerName:
        """What names its container on the whole node; whoever kills what is left of an allocation looks for this."""
        return ContainerName(f"{self.launch.allocation}/{self.launch.job}/{self.launch.fence}")

    @property
    def may_save(self) -> bool:
        """Whether it follows the workload contract, or may."""
        return self.launch.spec.freeze in {FreezeMethod.APP, FreezeMethod.AUTO}

    @property
    def prefers_app(self) -> bool:
        """Whether it can be frozen from outside, but is asked to save itself first."""
        return self.is_enclosed and self.may_save and self.launch.prefers is FreezeMethod.APP

    @property
    def can_freeze(self) -> bool:
        """Whether it is worth while to ask for more than its end."""
        return self.method is not FreezeMethod.NONE

    def view(self, now: Millis) -> GuestView:
        """Return it as decisions see it."""
        return GuestView(
            job=self.launch.job,
            fence=self.launch.fence,
            phase=self.phase,
            plan=self.plan,
            can_freeze=self.can_freeze,
            asked_at=self.asked_at,
            signalled_at=self.signalled_at,
            is_stopping=self.stop is not None,
            unsaved_ms=Millis(max(now - self.saved_at, 0)),
            bytes=self.saved_bytes,
            memory_over=self.memory_over,
        )

    def run_ms(self, up_to: Millis) -> Millis:
        """How long the job had run in all by then."""
        before = self.launch.thaw_from.run_ms if self.launch.thaw_from else 0
        return Millis(before + max(up_to - self.started_at, 0))

    def next_snapshot(self) -> SnapshotId:
        """Return a name for one more snapshot; names of a job count up over all of its segments."""
        self.snapshots += 1
        return SnapshotId(f"{self.launch.fence:04d}-{self.snapshots:04d}")

    def news_of_progress(self) -> Progressed | None:
        """Return how far it says it is, if that is news."""
        lines = [line for line in self._progress.new_lines() if whole_number(line, "step") is not None]
        if not lines:
            return None
        step, total = whole_number(lines[-1], "step") or 0, whole_number(lines[-1], "total")
        if (step, total) == self._told:
            return None
        self._told = step, total
        return Progressed(job=self.launch.job, fence=self.launch.fence, step=step, total=total)

    @property
    def told(self) -> tuple[int, int | None]:
        """The step and the total that were last told."""
        return self._told or (0, None)
