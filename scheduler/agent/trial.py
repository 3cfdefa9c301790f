"""Tries whether a command can be a guest: undisturbed, and stopped half-way and gone on with in new folders, in each way there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from msgspec import structs

from idleq.ids import Fence, JobId, Millis
from idleq.migration import snapshot
from idleq.migration.errors import MigrationError, StartFailed
from idleq.migration.here import origin_here
from idleq.migration.manifest import APP
from idleq.migration.tree import Item
from idleq.scheduler.agent import saves
from idleq.scheduler.agent.alone import Alone, last_words, lone_guest
from idleq.scheduler.agent.errors import TrialFailed
from idleq.scheduler.agent.folders import Folders, Scratch, segment_text
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.outcome import Broken, Done, End, Saved, judge
from idleq.scheduler.agent.saving import FROM_OUTSIDE
from idleq.scheduler.agent.signals import number_of
from idleq.scheduler.core.submission import FreezeMethod, JobSpec
from idleq.scheduler.paths import SegmentPaths

WAYS = (FreezeMethod.CRIU, FreezeMethod.APP)

LEAST_MS = Millis(500)
"""What is over sooner has hardly begun when it is stopped half-way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one way to stop it and go on: *found* says it in words."""

    way: FreezeMethod
    works: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tryout:
    """What came of all.

    Attributes:
        took_ms: how long it takes undisturbed.
        files: how many files it leaves.
        tried: the ways.
        advice: how a job of it is best frozen; `none` if it would have to begin anew.
    """

    took_ms: Millis
    files: int
    tried: tuple[Tried, ...]
    advice: FreezeMethod


@dataclass(frozen=True, slots=True)
class Left:
    """What a run has left: digests of its files by their names, and what it printed."""

    files: Mapping[str, str]
    printed: bytes

    def difference(self, other: "Left") -> str:
        """Say what differs in *other*; "" if it is the same. What was printed counts where there are no files."""
        names = sorted(self.files.keys() | other.files.keys())
        unlike = next((name for name in names if self.files.get(name) != other.files.get(name)), "")
        if unlike or names:
            return unlike
        return "" if self.printed == other.printed else "what it prints"


@dataclass(slots=True)
class Trial:
    """One trial; *alone* has patience for all that the command does, and again for saving itself."""

    alone: Alone
    _begun: int = field(default=0, init=False)

    def of(self, spec: JobSpec) -> Tryout:
        """Try *spec*.

        Raises:
            TrialFailed: by itself it fails, does not end, or is over at once.
        """
        place = Scratch(self.alone.scratch)
        place.clear()
        try:
            left, took_ms = self._undisturbed(spec)
            if took_ms < LEAST_MS:
                raise TrialFailed(f"it is over in {took_ms} ms, too soon to be frozen; try it with more to do")
            tried = tuple(self._tried(way, spec, left, Millis(took_ms // 2)) for way in WAYS)
            return Tryout(took_ms=took_ms, files=len(left.files), tried=tried, advice=_advice(tried))
        except (StartFailed, OSError) as error:
            raise TrialFailed(f"it cannot be tried: {error}") from error
        finally:
            self.alone.runtime.close()
            place.clear()

    def _undisturbed(self, spec: JobSpec) -> tuple[Left, Millis]:
        guest = self._guest(spec, 1)
        self.alone.start(guest)
        since = self.alone.clock.now()  # a container's start may take longer than its program
        ended = self.alone.watch(self.alone.patience_ms)
        took_ms = Millis(self.alone.clock.now() - since)
        if ended is None:
            self.alone.end(guest)
            seconds = f"{self.alone.patience_ms / 1000:g} s"
            raise TrialFailed(f"after {seconds} it has not ended; try it with less to do, or with more --seconds")
        if ended.code != 0:
            how = f"signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
            said = last_words(guest.folders).strip()
            raise TrialFailed(f"undisturbed it ends with {how}" + (f", and says: {said}" if said else ""))
        return _left_by([guest]), took_ms

    def _tried(self, way: FreezeMethod, spec: JobSpec, left: Left, half_ms: Millis) -> Tried:
        """Start it, and once half of it is done freeze it in that *way*."""
        if way is FreezeMethod.CRIU and self.alone.without_criu:
            return _no(way, self.alone.without_criu)
        first = self._guest(structs.replace(spec, freeze=way), 1)
        self.alone.start(first)
        if self.alone.watch(half_ms) is not None:
            return _no(way, "it was over before it could be frozen")
        try:
            return self._from_outside(first, left) if way is FreezeMethod.CRIU else self._by_itself(first, left)
        except MigrationError as error:
            self.alone.end(first)
            return _no(way, str(error))

    def _from_outside(self, first: Guest, left: Left) -> Tried:
        """Freeze it with all that it holds."""
        saves.from_outside(first.folders)  # what cannot be kept is found while it still runs
        first.folders.images.mkdir()
        self.alone.runtime.freeze(first.name, first.folders.images)
        then = self._moved(first, saves.from_outside(first.folders), FROM_OUTSIDE)
        self.alone.thaw(then)
        return self._compared(left, [first, then])

    def _by_itself(self, first: Guest, left: Left) -> Tried:
        """Ask it to save itself, by the workload contract."""
        spec = first.launch.spec
        number = number_of(spec.signal)
        if not self.alone.runtime.hears(first.name, number):
            self.alone.end(first)
            return _no(
                FreezeMethod.APP, f"it has no handler for {spec.signal}, by which it would be asked to save itself"
            )
        self.alone.runtime.signal(first.name, number)
        ended = self.alone.watch(self.alone.patience_ms)
        if ended is None:
            self.alone.end(first)
            return _no(
                FreezeMethod.APP, f"it did not save itself within {self.alone.patience_ms / 1000:g} s of {spec.signal}"
            )
        match judge(
            End(code=ended.code, can_freeze=True, has_checkpoint=first.folders.has_checkpoint, asked_by=number)
        ):
            case Saved():
                pass
            case Done():
                return _no(FreezeMethod.APP, f"asked by {spec.signal} to save itself, it went on to its end")
            case Broken(reason=reason):
                return _no(FreezeMethod.APP, f"asked by {spec.signal} to save itself: {reason}")
        then = self._moved(first, saves.whole(first.folders), APP)
        self.alone.start(then)
        return self._compared(left, [first, then])

    def _compared(self, left: Left, guests: Sequence[Guest]) -> Tried:
        spec = guests[-1].launch.spec
        way, ended = spec.freeze, self.alone.watch(self.alone.patience_ms)
        if ended is not None and ended.lost:
            return _no(way, ended.lost)
        if ended is None:
            self.alone.end(guests[-1])
            return _no(way, "it went on, and did not come to its end in time")
        if ended.code != 0:
            return _no(
                way,
                f"it was frozen, and ended with {ended.code} when it went on: {last_words(guests[-1].folders).strip()}",
            )
        difference = left.difference(_left_by(guests))
        if not difference:
            return Tried(
                way=way, works=True, found="frozen half-way and gone on with elsewhere, its result is the same"
            )
        again, _ = self._undisturbed(spec)
        if left.difference(again):
            return Tried(
                way=way,
                works=True,
                found=f"it went on to its end; undisturbed, too, {difference} differs from run to run",
            )
        return _no(way, f"it went on to its end, but its result is another: {difference} differs")

    def _guest(self, spec: JobSpec, fence: int) -> Guest:
        """Return a segment of *spec*, ready to be started in folders of its own."""
        self._begun += 1
        folders = Folders(self.alone.scratch / str(self._begun))
        folders.create()
        return lone_guest(
            f"try{self._begun}", JobId("1"), Fence(fence), spec, folders, is_enclosed=spec.freeze is FreezeMethod.CRIU
        )

    def _moved(self, guest: Guest, items: Sequence[Item], kind: str) -> Guest:
        """Return the next segment of *guest*, with what its snapshot of *items* holds."""
        where = guest.folders.root / "snapshot"
        published = snapshot.publish(items, where, kind=kind, origin=origin_here(self.alone.clock.now()))
        then = self._guest(guest.launch.spec, 2)
        then.folders.images.mkdir()
        snapshot.restore(where, published.digest, saves.places(then.folders))
        # Again, as what was restored tells of the last one.
        then.folders.tell(segment_text(then.launch.fence, then.plan, then.launch.spec))
        return then


def _no(way: FreezeMethod, found: str) -> Tried:
    return Tried(way=way, works=False, found=found)


def _advice(tried: Sequence[Tried]) -> FreezeMethod:
    works = [one.way for one in tried if one.works]
    if len(works) > 1:
        return FreezeMethod.AUTO
    return works[0] if works else FreezeMethod.NONE


def _left_by(guests: Sequence[Guest]) -> Left:
    """Return what the segments of one run have left; progress.jsonl tells how it came about and is no result."""
    output, printed = guests[-1].folders, [_read(SegmentPaths(guest.folders.root).stdout) for guest in guests]
    files = {
        str(path.relative_to(output.output)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.output.rglob("*"))
        if path.is_file() and path != output.progress_file
    }
    return Left(files, b"".join(printed))


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
