"""What freezing and thawing cost, learned per kind of job from what was measured: its user's jobs of that name, else anybody's."""

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct

from idleq.ids import JobId, Millis
from idleq.scheduler.core.kind import Kind, Kinds
from idleq.scheduler.core.methods import Choice, chosen
from idleq.scheduler.core.recent import Recent
from idleq.scheduler.core.sizes import Sizes
from idleq.scheduler.core.submission import FreezeMethod

KINDS = 4096
"""Kinds that are remembered, those that were taught last: a daemon lives for years, and names come and go."""

REMEMBERED_TYPICALS = 1024
"""What is kept at hand of one name: jobs differ in size, and what follows from it is reckoned anew in microseconds."""


class Basis(StrEnum):
    """Where what is believed of a job's freezes comes from, in words."""

    #: Its own kind was measured.
    USER = "as freezes of its user's jobs of that name took"
    #: Its own was not, but others' jobs of that name were.
    NAME = "as freezes of anybody's jobs of that name took"
    #: No freeze was, but saves were, and they take longer than the policy says of freezes.
    SAVES = "as saves of jobs of that name took"
    #: No freeze was.
    POLICY = "as the policy says, since no freeze was measured"


class Typical(Struct, frozen=True, gc=False):
    """What plans take one job to be like.

    Attributes:
        freeze_ms: what 95 % of its freezes keep.
        longest_freeze_ms: what 99 % of them keep.
        save_ms: the middle of what a save takes.
        thaw_ms: the middle of what a thaw takes.
        slow_thaw_ms: what 95 % of its thaws keep.
        bytes: what its newest snapshot weighs; as long as it has none, what all but one in twenty of its kind keep within.
    """

    freeze_ms: Millis
    longest_freeze_ms: Millis
    save_ms: Millis
    thaw_ms: Millis
    slow_thaw_ms: Millis
    bytes: int


@dataclass(slots=True)
class Measured:
    """The last measurements of one kind's freezes, saves, thaws and last segments, and what its jobs weigh.

    *by_method* are the freezes apart by what froze them, of kinds only that may be frozen by either.
    *typical* is what follows from them and from what their users' own kinds have, of anybody's kinds only: kept, since every plan asks for it.
    """

    freezes: Recent = field(default_factory=Recent)
    saves: Recent = field(default_factory=Recent)
    thaws: Recent = field(default_factory=Recent)
    runs: Recent = field(default_factory=Recent)
    sizes: Sizes = field(default_factory=Sizes)
    by_method: dict[FreezeMethod, Recent] = field(default_factory=dict)
    typical: dict[tuple[Kind, int | None, Millis, Millis], Typical] = field(
        default_factory=dict, compare=False, repr=False
    )


@dataclass(slots=True)
class Costs:
    """What is known of every kind.

    Attributes:
        measured: what was measured, the kind that was taught last at the end: a user's kind is forgotten before anybody's of that name.
        middles: the middle of how long last segments ran, of each kind of which any did, in order.
        kept: how many kinds are remembered.
    """

    measured: dict[Kind, Measured] = field(default_factory=dict)
    middles: list[Millis] = field(default_factory=list)
    kept: int = KINDS
    _newest: tuple[Kinds, list[Measured]] = field(default=((), []), compare=False, repr=False)

    def learn_freeze(self, kinds: Kinds, job: JobId, took: Millis, size: int) -> None:
        """Remember one freeze of *job*, of *size* bytes."""
        has_changed = False
        for measured in (taught := self._taught(kinds)):
            has_changed |= measured.freezes.add(took, size) | measured.sizes.note(job, size)
        if has_changed:
            taught[-1].typical.clear()

    def learn_method(self, kinds: Kinds, method: FreezeMethod, took: Millis, size: int) -> None:
        """Remember by which *method* one freeze was, of a kind that may be frozen by either."""
        for measured in self._taught(kinds):
            measured.by_method.setdefault(method, Recent()).add(took, size)

    def choice(self, kinds: Kinds) -> Choice:
        """Return which way to freeze jobs of these *kinds* costs less: as their user's jobs say, else as anybody's do."""
        choices = [chosen(measured.by_method) for measured in self._known(kinds)]
        decided = next((choice for choice in choices if choice.preferred is not None), None)
        return decided or (choices[-1] if choices else chosen({}))

    def learn_save(self, kinds: Kinds, job: JobId, took: Millis, size: int) -> None:
        """Remember one save of *job*, of *size* bytes, during which it stayed where it was."""
        has_changed = False
        for measured in (taught := self._taught(kinds)):
            has_changed |= measured.saves.add(took, size) | measured.sizes.note(job, size)
        if has_changed:
            taught[-1].typical.clear()

    def learn_thaw(self, kinds: Kinds, took: Millis, size: int) -> None:
        """Remember one thaw of *size* bytes."""
        has_changed = False
        for measured in (taught := self._taught(kinds)):
            has_changed |= measured.thaws.add(took, size)
        if has_changed:
            taught[-1].typical.clear()

    def learn_run(self, kinds: Kinds, took: Millis) -> None:
        """Remember how long the last segment of a job ran that was done: of its own kind alone, as `run_ms` is."""
        runs = self._taught(kinds)[0].runs
        self._forget_middle(runs)
        runs.add(took)
        insort(self.middles, runs.quantile(500, took))

    @property
    def shortest_run_ms(self) -> Millis | None:
        """The shortest middle of how long last segments ran, of all kinds; None if no job was ever done."""
        return self.middles[0] if self.middles else None

    def run_ms(self, kinds: Kinds) -> Millis | None:
        """Return the middle of how long last segments of its user's jobs run, None if none was ever done: others' would say nothing of it."""
        measured = self.measured.get(kinds[0])
        return measured.runs.quantile(500, Millis(0)) if measured and measured.runs.values else None

    def freeze_ms(self, kinds: Kinds, permille: int, size: int, unknown: Millis) -> Millis:
        """Return the freeze time that *permille* of freezes of *size* bytes keep; if none was ever measured *unknown*, but no less than of saves."""
        return self.freeze(kinds, permille, size, unknown)[0]

    def freeze(self, kinds: Kinds, permille: int, size: int, unknown: Millis) -> tuple[Millis, Basis]:
        """Return the same, and where it comes from.

        Were it not learned from saves, freezes planned too late where no grace helps would all be lost, and none ever measured.
        """
        found, basis, save_ms = unknown, Basis.POLICY, Millis(0)
        for kind in kinds:
            measured = self.measured.get(kind)
            if measured is None:
                continue
            if measured.freezes.values:
                basis = Basis.NAME if kind is not kinds[0] else Basis.USER
                found = measured.freezes.expected(permille, size, unknown)
                break
            save_ms = save_ms or measured.saves.expected(permille, size, Millis(0))
        return (found, basis) if found >= save_ms else (save_ms, Basis.SAVES)

    def save_ms(self, kinds: Kinds, size: int, unknown: Millis) -> Millis:
        """Return the middle of what a save of *size* bytes takes; *unknown* if none was ever measured."""
        saves = next((kind.saves for kind in self._known(kinds) if kind.saves.values), None)
        return unknown if saves is None else saves.expected(500, size, unknown)

    def thaw_ms(self, kinds: Kinds, permille: int, size: int, unknown: Millis) -> Millis:
        """Return the time that *permille* of thaws of *size* bytes keep; *unknown* if none was ever measured."""
        thaws = next((kind.thaws for kind in self._known(kinds) if kind.thaws.values), None)
        return unknown if thaws is None else thaws.expected(permille, size, unknown)

    def size(self, kinds: Kinds) -> int:
        """Return what a job without a snapshot is taken to weigh, 0 if nothing was ever frozen or saved."""
        sizes = (kind.sizes.cautious for kind in self._known(kinds))
        return next((size for size in sizes if size is not None), 0)

    def typical(self, kinds: Kinds, size: int | None, freeze_ms: Millis, thaw_ms: Millis) -> Typical:
        """Return what plans take a job to be like whose newest snapshot is of *size* (None: it has none).

        *freeze_ms* and *thaw_ms* are for what was never measured.
        """
        anybodys = self._newest[1][-1] if kinds is self._newest[0] else self.measured.get(kinds[-1])
        if anybodys is None:  # so is its user's kind, which is forgotten first
            return Typical(freeze_ms, freeze_ms, freeze_ms, thaw_ms, thaw_ms, size or 0)
        asked = kinds[0], size, freeze_ms, thaw_ms
        known = anybodys.typical.get(asked)
        if known is None:
            if len(anybodys.typical) >= REMEMBERED_TYPICALS:
                anybodys.typical.clear()
            known = anybodys.typical[asked] = self._reckoned(kinds, size, freeze_ms, thaw_ms)
        return known

    def _reckoned(self, kinds: Kinds, size: int | None, freeze_ms: Millis, thaw_ms: Millis) -> Typical:
        size = self.size(kinds) if size is None else size
        return Typical(
            freeze_ms=self.freeze_ms(kinds, 950, size, freeze_ms),
            longest_freeze_ms=self.freeze_ms(kinds, 990, size, freeze_ms),
            save_ms=self.save_ms(kinds, size, self.freeze_ms(kinds, 500, size, freeze_ms)),
            thaw_ms=self.thaw_ms(kinds, 500, size, thaw_ms),
            slow_thaw_ms=self.thaw_ms(kinds, 950, size, thaw_ms),
            bytes=size,
        )

    def _known(self, kinds: Kinds) -> Iterable[Measured]:
        """Return what was measured of those of *kinds* of which anything was, in their order."""
        return [measured for kind in kinds if (measured := self.measured.get(kind)) is not None]

    def _taught(self, kinds: Kinds) -> list[Measured]:
        """Return what was measured of each of *kinds*, which are taught now; what was taught longest ago is forgotten where there are too many."""
        if kinds is self._newest[0]:
            return self._newest[1]
        taught = []
        for kind in kinds:
            measured = self.measured.pop(kind) if kind in self.measured else Measured()
            self.measured[kind] = measured
            taught.append(measured)
        while len(self.measured) > self.kept:
            self._forget(next(iter(self.measured)))
        self._newest = kinds, taught
        return taught

    def _forget(self, kind: Kind) -> None:
        self._forget_middle(self.measured.pop(kind).runs)
        anybodys = self.measured.get(kind._replace(user=""))
        if anybodys is not None:
            anybodys.typical.clear()

    def _forget_middle(self, runs: Recent) -> None:
        if runs.values:
            del self.middles[bisect_left(self.middles, runs.quantile(500, Millis(0)))]
