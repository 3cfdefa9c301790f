"""Thaws a copy of a snapshot, sees that the program goes on from it, and throws the copy away."""

from dataclasses import dataclass, field
from pathlib import Path

from idleq.ids import Fence, JobId, Millis
from idleq.machines import Machine, obstacles
from idleq.migration import snapshot
from idleq.migration.errors import MountRefused, StartFailed, ThawFailed
from idleq.migration.manifest import Manifest, needs_of
from idleq.migration.ports import Ended
from idleq.migration.sealing import Keyring
from idleq.scheduler.agent import saves
from idleq.scheduler.agent.alone import Alone, last_words, lone_guest
from idleq.scheduler.agent.folders import Scratch
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.outcome import SAVED_CODES
from idleq.scheduler.agent.saving import FROM_OUTSIDE
from idleq.scheduler.agent.signals import number_of
from idleq.scheduler.agent.staged import bring
from idleq.scheduler.agent.tail import Tail, whole_number
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import JobSpec

STEPS = 2
"""Steps that the program shall make: the first may be the one that was saved, told again."""

LIVES_MS = Millis(5_000)
"""What was thawed as it ran, and had never told of a step, is watched for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """What came of it.

    Attributes:
        is_good: whether the program went on (and saved itself, if that is how it is frozen), or came to its end.
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
    """One drill on this *machine*; *alone* has patience for the program's first steps, and again for saving itself."""

    alone: Alone
    machine: Machine

    def of(
        self, job: JobId, spec: JobSpec, source: Path, taken: Snapshot, keys: Keyring, inputs: Path | None = None
    ) -> Drilled:
        """Drill the snapshot *taken*, which lies at *source*; the copy of what its job is given, if anything, lies at *inputs*.

        Raises:
            SnapshotDamaged: it does not verify, or cannot be drilled on this machine.
        InputsGone: what its job is given does not verify.
        """
        manifest = snapshot.read_manifest(source, taken.digest)
        if why := self._why_not(manifest, spec):
            return _bad(taken, f"{why}; it was not tried")
        place = Scratch(self.alone.scratch)
        place.clear()
        try:
            folders = place.take()
            folders.images.mkdir()
            snapshot.restore(source, taken.digest, saves.places(folders), keys)
            if spec.inputs is not None and inputs is not None:
                bring(spec.inputs, inputs, folders)
            is_as_it_ran = manifest.kind == FROM_OUTSIDE
            guest = lone_guest(
                "drill", job, Fence(taken.fence + 1), spec, folders, thaw_from=taken, is_enclosed=is_as_it_ran
            )
            return self._thawed(guest, taken) if is_as_it_ran else self._started(guest, taken)
        except (StartFailed, MountRefused, ThawFailed) as error:
            return _bad(taken, str(error))
        finally:
            self.alone.runtime.close()
            place.clear()

    def _why_not(self, manifest: Manifest, spec: JobSpec) -> str:
        if written := [mount.source for mount in spec.mounts if mount.is_writable]:
            return f"its program may write to {', '.join(written)}, which is no copy"
        if manifest.kind != FROM_OUTSIDE:
            return ""
        if manifest.origin is None:
            return "it does not say where it was frozen"
        needs = needs_of(manifest.kind, manifest.origin, is_reproducible=spec.reproducible)
        reasons = self.alone.without_criu or "; ".join(obstacles(needs, self.machine, spec.image))
        return f"a snapshot of {manifest.kind} cannot be thawed here, {reasons}" if reasons else ""

    def _started(self, guest: Guest, taken: Snapshot) -> Drilled:
        """Start it from what it had saved, and let it save itself again."""
        steps = _Steps.of(guest)
        self.alone.start(guest)
        ended = self.alone.watch(self.alone.patience_ms, lambda: len(steps.told()) >= STEPS)
        if ended is None:
            self.alone.runtime.signal(guest.name, number_of(guest.launch.spec.signal))
            ended = self.alone.watch(self.alone.patience_ms)
        if ended is None:
            self.alone.end(guest)
        return _judged(taken.step, steps.told(), ended, last_words(guest.folders))

    def _thawed(self, guest: Guest, taken: Snapshot) -> Drilled:
        """Let its processes go on for a while."""
        steps = _Steps.of(guest)
        self.alone.thaw(guest)
        most_ms = self.alone.patience_ms if taken.step else min(LIVES_MS, self.alone.patience_ms)
        ended = self.alone.watch(most_ms, lambda: len(steps.told()) >= STEPS)
        told = steps.told()
        if ended is None:
            self.alone.end(guest)
            came_to = max(told, default=taken.step)
            how_far = f"from step {taken.step} to {came_to}" if told else f"and told of no step in {most_ms / 1000:g} s"
            is_good = came_to > taken.step or not (told or taken.step)
            return Drilled(is_good=is_good, step=taken.step, came_to=came_to, code=None, found=f"it went on {how_far}")
        if ended.lost:
            return _bad(taken, ended.lost)
        return _judged(taken.step, told, ended, last_words(guest.folders))


@dataclass(slots=True)
class _Steps:
    """The steps that a guest tells of from now on."""

    _lines: Tail
    _told: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, guest: Guest) -> "_Steps":
        lines = Tail(guest.folders.progress_file)
        lines.new_lines()  # those that were there before
        return cls(lines)

    def told(self) -> list[int]:
        """Return all until now."""
        self._told += [step for line in self._lines.new_lines() if (step := whole_number(line, "step")) is not None]
        return self._told


def _bad(taken: Snapshot, why: str) -> Drilled:
    return Drilled(is_good=False, step=taken.step, came_to=taken.step, code=None, found=why)


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
