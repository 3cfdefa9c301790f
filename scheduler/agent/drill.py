"""Thaws a copy of a snapshot, sees that the program goes on from it, and throws the copy away."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from idleq.ids import Fence, JobId, Millis
from idleq.migration import snapshot
from idleq.migration.errors import MountRefused, StartFailed
from idleq.migration.manifest import APP
from idleq.migration.ports import Ended
from idleq.migration.sealing import Keyring
from idleq.scheduler.agent.alone import last_words, lone_guest
from idleq.scheduler.agent.folders import Folders, Scratch
from idleq.scheduler.agent.node import AgentRuntime
from idleq.scheduler.agent.ordering import order_of
from idleq.scheduler.agent.outcome import SAVED_CODES
from idleq.scheduler.agent.signals import number_of
from idleq.scheduler.agent.staged import bring
from idleq.scheduler.agent.tail import Tail, whole_number
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import JobSpec
from idleq.scheduler.paths import SegmentPaths
from idleq.scheduler.ports import Clock

LOOK_SECONDS = 0.05

STEPS = 2
"""Steps that the program shall make: the first may be the one that was saved, told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """What came of it.

    Attributes:
        is_good: whether the program went on and saved itself, or came to its end.
        step: how far the snapshot was.
        came_to: how far the program came.
        code: its exit code, or minus the signal that ended it; None if it never ended by itself.
        found: in words.
        errors: the end of what it printed as errors.
    """

    is_good: bool
    step: int
    came_to: int
    code: int | None
    found: str
    errors: str = ""


@dataclass(slots=True)
class Drill:
    """One drill, in a folder of its own.

    Attributes:
        runtime: starts the copy; whatever it started ends with the drill.
        clock: how long it takes.
        scratch: an empty folder, which is empty afterwards.
        patience_ms: how long the program may take for its first steps, and again for saving itself.
        environment: what of ours programs may see.
    """

    runtime: AgentRuntime
    clock: Clock
    scratch: Path
    patience_ms: Millis
    environment: Mapping[str, str]

    def of(
        self, job: JobId, spec: JobSpec, source: Path, taken: Snapshot, keys: Keyring, inputs: Path | None = None
    ) -> Drilled:
        """Drill the snapshot *taken*, which lies at *source*; the copy of what its job is given, if anything, lies at *inputs*.

        Raises:
            SnapshotDamaged: it does not verify, or cannot be drilled on this machine.
        InputsGone: what its job is given does not verify.
        """
        manifest = snapshot.read_manifest(source, taken.digest)
        if manifest.kind != APP:
            return Drilled(
                is_good=False, step=taken.step, came_to=0, code=None,
                found=f"a snapshot of {manifest.kind} can only be thawed on a node; it was not tried",
            )  # fmt: skip
        place = Scratch(self.scratch)
        place.clear()
        try:
            folders = place.take()
            snapshot.restore(source, taken.digest, {"checkpoint": folders.checkpoint, "output": folders.output}, keys)
            if spec.inputs is not None and inputs is not None:
                bring(spec.inputs, inputs, folders)
            return self._try(job, spec, folders, taken)
        finally:
            self.runtime.close()
            place.clear()

    def _try(self, job: JobId, spec: JobSpec, folders: Folders, taken: Snapshot) -> Drilled:
        guest = lone_guest("drill", job, Fence(taken.fence + 1), spec, folders, thaw_from=taken)
        progress = Tail(folders.progress_file)
        progress.new_lines()  # those that were there before
        try:
            self.runtime.start(order_of(guest, SegmentPaths(folders.root), self.environment, ()))
        except (StartFailed, MountRefused) as error:
            return Drilled(is_good=False, step=taken.step, came_to=taken.step, code=None, found=str(error))
        ended, told = self._watch(progress, STEPS)
        if ended is None:
            self.runtime.signal(guest.name, number_of(spec.signal))
            ended, more = self._watch(progress, None)
            told += more
        if ended is None:
            self.runtime.kill([guest.name])
            self._watch(progress, None)  # until nothing of it lives any more
        return _judged(taken.step, told, ended, last_words(folders))

    def _watch(self, progress: Tail, enough: int | None) -> tuple[Ended | None, list[int]]:
        """Return how it ended, if it did before *enough* steps or the time is up, and the steps that it told."""
        told: list[int] = []
        until = self.clock.now() + self.patience_ms
        while self.clock.now() < until:
            ended = next(iter(self.runtime.ended()), None)
            told += [step for line in progress.new_lines() if (step := whole_number(line, "step")) is not None]
            if ended is not None or (enough is not None and len(told) >= enough):
                return ended, told
            time.sleep(LOOK_SECONDS)
        return None, told


def _judged(step: int, told: list[int], ended: Ended | None, errors: str) -> Drilled:
    came_to = max(told, default=step)
    code = None if ended is None else ended.code
    if code == 0:
        found, is_good = "it went on to its end", True
    elif code in SAVED_CODES and came_to > step:
        found, is_good = f"it went on from step {step} to {came_to} and saved itself", True
    elif code in SAVED_CODES:
        found, is_good = "it saved itself when it was asked to, and told of no step", not told
    elif code is None:
        found, is_good = "it did not save itself in time", False
    else:
        found, is_good = f"it ended by signal {-code}" if code < 0 else f"it ended with exit code {code}", False
    if is_good is False and told and came_to <= step:
        found += f", and came to step {came_to} only, where the snapshot says {step}"
    return Drilled(
        is_good=is_good, step=step, came_to=came_to, code=code, found=found, errors="" if is_good else errors
    )
